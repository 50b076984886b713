"""The job toolkit: templates, rendering, submitting and following jobs."""
