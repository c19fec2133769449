"""What can be set: fields with a range and a sentence of help, and the groups that jobs are told.

A setting exists once. The command line, the app and the report are made from these fields.
"""

from cleanplate.settings.fields import check, parse, setting

__all__ = ["check", "parse", "setting"]
