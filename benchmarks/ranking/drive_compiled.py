"""Runs in the compiled forms' own virtual environment: the same trees by other libraries.

python drive_compiled.py MODEL.ubj ROWS.npy TIMES prints one line of JSON: for each way milliseconds by repetition, the
margins' largest difference from XGBoost's own, or why it could not be tried.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xgboost


def main(model: str, rows: str, times: int) -> None:
    booster = xgboost.Booster(model_file=model)
    booster.set_param({"nthread": 1})
    features = np.load(rows)
    truth = booster.inplace_predict(features, predict_type="margin")
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, prepare in WAYS.items():
            try:
                begun = time.perf_counter()
                predict = prepare(booster, features, Path(folder))
                found[name] = {"prepare_seconds": time.perf_counter() - begun} | timed(predict, features, truth, times)
            except Exception as error:  # noqa: BLE001 - a way that cannot be tried is part of the answer
                found[name] = {"failed": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    print(json.dumps(found))


def timed(predict: Callable, features: np.ndarray, truth: np.ndarray, times: int) -> dict:
    difference = float(np.abs(np.asarray(predict(features)).ravel() - truth).max())
    passed = []
    for _ in range(times + 5):
        begun = time.perf_counter()
        predict(features)
        passed.append(1_000 * (time.perf_counter() - begun))
    return {"ms": passed[5:], "difference": difference}


def in_place(booster: xgboost.Booster, features: np.ndarray, folder: Path) -> Callable:
    return lambda rows: booster.inplace_predict(rows, predict_type="margin")


def by_matrix(booster: xgboost.Booster, features: np.ndarray, folder: Path) -> Callable:
    kinds = booster.feature_types

    def predict(rows: np.ndarray) -> np.ndarray:
        matrix = xgboost.DMatrix(rows, nthread=1, feature_types=kinds, enable_categorical=True)
        return booster.predict(matrix, output_margin=True)

    return predict


def treelite_gtil(booster: xgboost.Booster, features: np.ndarray, folder: Path) -> Callable:
    import treelite

    model = treelite.frontend.from_xgboost(booster)
    return lambda rows: treelite.gtil.predict(model, rows, nthread=1, pred_margin=True)


def tl2cgen_c(booster: xgboost.Booster, features: np.ndarray, folder: Path) -> Callable:
    import tl2cgen
    import treelite

    model = treelite.frontend.from_xgboost(booster)
    library = folder / "trees.so"
    tl2cgen.export_lib(model, toolchain="gcc", libpath=library, params={"parallel_comp": 2})
    predictor = tl2cgen.Predictor(library, nthread=1)
    return lambda rows: predictor.predict(tl2cgen.DMatrix(rows), pred_margin=True)


def onnx(booster: xgboost.Booster, features: np.ndarray, folder: Path) -> Callable:
    import onnxruntime
    from onnxmltools import convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    model = convert_xgboost(booster, initial_types=[("rows", FloatTensorType([None, features.shape[1]]))])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda rows: session.run(None, {"rows": rows})[0]


WAYS = {
    "XGBoost inplace_predict": in_place,
    "XGBoost DMatrix": by_matrix,
    "treelite GTIL": treelite_gtil,
    "tl2cgen, C by gcc": tl2cgen_c,
    "ONNX Runtime": onnx,
}

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
