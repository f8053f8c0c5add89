"""How Parley logs: for people or as JSON, one line a record, to standard error."""

import json
import logging
import sys
import time


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON: at (seconds since the epoch), level, logger, message, traceback where there is one."""
        line = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str, form: str) -> None:
    """Log from this level on. Libraries speak only from WARNING."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(JsonFormatter() if form == "json" else formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("bot", "adapters", "handlers"):
        logging.getLogger(name).setLevel(level)
