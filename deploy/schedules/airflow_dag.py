"""The whole path every night under Airflow 3, and every hour a look whether a run is late: put it in the DAGs folder.

Workers need the checkout and its environment at $REMORA (default /srv/remora), on the machine that keeps the home.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

CHECKOUT = os.environ.get("REMORA", "/srv/remora")
CONFIG = os.environ.get("REMORA_CONFIG", f"{CHECKOUT}/config/mine.yaml")
STARTS = datetime(2026, 1, 1)

with DAG("remora_run", schedule="30 3 * * *", start_date=STARTS, catchup=False, max_active_runs=1) as run:
    BashOperator(
        task_id="run",
        bash_command=f"{CHECKOUT}/.venv/bin/remora run --config {CONFIG} --since last --by airflow",
        cwd=CHECKOUT,
        append_env=True,
        retries=1,  # steps that ended are look-ups, so a retry continues where the run stopped
        retry_delay=timedelta(minutes=10),
        execution_timeout=timedelta(hours=20),
    )

with DAG("remora_check", schedule="17 * * * *", start_date=STARTS, catchup=False, max_active_runs=1) as check:
    BashOperator(
        task_id="check",
        bash_command=f"{CHECKOUT}/.venv/bin/remora runs --config {CONFIG} --check --last 1",
        cwd=CHECKOUT,
        append_env=True,
    )
