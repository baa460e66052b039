"""The exporter as a process; `processes` starts one for other rooms too."""
