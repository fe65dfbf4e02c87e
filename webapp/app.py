"""The web application: its pages and its API joined around one Runtime."""

from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from flask import Flask
from flask_bootstrap import Bootstrap5
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp import api
from webapp.core import restores
from webapp.core.runtime import Runtime
from webapp.errors import HitchpostError
from webapp.settings import Settings
from webapp.ui import (
    _filters,
    _guard,
    _headers,
    _places,
    _session,
    _throttle,
    api_keys,
    assets,
    audit,
    connect,
    connect_session,
    connection_acts,
    connections,
    dead_letters,
    destinations,
    errors,
    events,
    forward,
    health,
    home,
    install,
    invite,
    notices,
    people,
    reconnect,
    sign_in,
    sources,
    told,
)

#: Every page module, in the order of the menus.
PAGES = (
    home,
    sign_in,
    invite,
    connect_session,
    reconnect,
    connect,
    install,
    connections,
    notices,
    connection_acts,
    forward,
    destinations,
    events,
    dead_letters,
    sources,
    health,
    people,
    api_keys,
    audit,
    told,
    assets,
)


_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class _Application(Flask):
    """Flask, with nothing of an exception in the log but its kind: its words may hold a secret."""

    def log_exception(self, exc_info: _ExceptionInfo) -> None:
        """Log what nobody caught, in place of Flask's whole traceback."""
        if exc_info[1] is not None:
            errors.log_failure(exc_info[1])


def create_app(runtime: Runtime) -> Flask:
    """The WSGI application around `runtime`, which it never closes."""
    settings = runtime.settings
    app = _Application(
        __name__,
        template_folder=str(Path(__file__).parent.parent / "templates"),
        static_folder="static",
    )
    app.config.from_mapping(_config(settings))
    app.extensions["hitchpost"] = runtime
    app.wsgi_app = api.QuickLane(  # type: ignore[method-assign]  # as Flask's docs do
        app.wsgi_app,
        runtime,
        prefix=api.PREFIX,
        hosts=_hosts(settings),
        headers=_headers.of_plain_answers(settings),
    )
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]  # as Flask's docs do
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    Bootstrap5(app)
    _filters.add_filters(app)
    _places.add_menus(app)
    app.jinja_env.globals["held_restore"] = _held_restore
    _throttle.install_throttle(app, settings)
    _headers.dress(app, settings)
    keyed = _join(app)
    _guard.guard(app, settings, without_cookies=keyed)
    app.register_error_handler(HitchpostError, errors.of_ours)
    app.register_error_handler(HTTPException, errors.of_flask)
    app.context_processor(lambda: {"viewer": _session.current(), "app_name": settings.app_name})
    return app


def _held_restore() -> restores.Held | None:
    """What admins see on every page while the instance is held."""
    who = _session.current()
    if who is None or not who.is_admin:
        return None
    with _session.runtime().database.read() as session:
        return restores.read_held(session)


def _config(settings: Settings) -> dict[str, object]:
    https = settings.public_url.startswith("https:")
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        # Browsers refuse the prefix, and some the Secure flag, over plain http.
        "SESSION_COOKIE_NAME": "__Host-hitchpost-session" if https else "hitchpost-session",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "TRUSTED_HOSTS": _hosts(settings),
        "MAX_FORM_MEMORY_SIZE": _guard.FORM_BYTES,
        "BOOTSTRAP_SERVE_LOCAL": True,
        # The token is bound to the session, which ends soon enough; the sender is checked by Fetch Metadata.
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": False,
    }


def _hosts(settings: Settings) -> list[str]:
    own = urlsplit(settings.public_url).hostname or ""
    return [own] if settings.is_production else [own, "127.0.0.1", "localhost"]


def _join(app: Flask) -> frozenset[str]:
    """Join pages and API; the names of the blueprints that take keys and ignore cookies."""
    for page in PAGES:
        app.register_blueprint(page.blueprint)
    before = frozenset(app.blueprints)
    api.register(app)
    return frozenset(app.blueprints) - before
