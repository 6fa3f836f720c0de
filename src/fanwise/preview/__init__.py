"""Previews: a run's tasks and inputs as far as they are known, before anything runs."""

from fanwise.preview.preview import ItemsPreview, RunPreview, TaskPreview, preview_run

__all__ = ["ItemsPreview", "RunPreview", "TaskPreview", "preview_run"]
