"""Unit tests of workers.runner.pipelines."""
