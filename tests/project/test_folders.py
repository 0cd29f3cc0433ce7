"""The folders of a project, written and written again."""

from __future__ import annotations

from pathlib import Path

from remora.project.folders import project_files, write_project


def test_a_project_has_declarations_jobs_and_the_app(tmp_path: Path) -> None:
    done = write_project(tmp_path, project_files())
    there = {str(path.relative_to(tmp_path)) for path in done.written}
    assert {"feature_repo/entities.py", "feature_repo/feature_store.yaml", "serve_apps/recommend.py"} <= there
    assert any(name.startswith("jobs/") for name in there)
    assert ".remora/" in (tmp_path / ".gitignore").read_text().splitlines()
    assert done.kept == ()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    write_project(tmp_path, project_files())
    again = write_project(tmp_path, project_files())
    assert (again.written, again.kept) == ((), ())


def test_a_file_with_another_content_is_replaced_only_when_it_is_named(tmp_path: Path) -> None:
    own = tmp_path / "serve_apps" / "recommend.py"
    own.parent.mkdir()
    own.write_text("# mine\n")
    done = write_project(tmp_path, project_files())
    assert done.kept == (own,)
    assert own.read_text() == "# mine\n"
    assert (tmp_path / "feature_repo" / "entities.py").is_file()
    assert write_project(tmp_path, project_files(), replace=["serve_apps/recommend.py"]).written == (own,)
    assert own.read_text() != "# mine\n"
