"""`gunicorn orchestrator.wsgi:application`."""

from orchestrator.bootstrap.web import build_web
from orchestrator.settings import read_settings

application = build_web(read_settings())
