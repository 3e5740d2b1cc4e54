"""The composition root: creates the FastAPI app with its middleware, routes and lifespan."""

from fastapi import FastAPI

from bargein import __version__
from bargein.clock import Clock, LoopClock
from bargein.server.api import errors, openapi, routing
from bargein.server.api.auth import LoopbackGuard
from bargein.server.api.cors import Cors
from bargein.server.api.services import Warmable
from bargein.server.api.trailing_slash import TrailingSlash
from bargein.server.lifespan import lifespan_of
from bargein.settings import Settings


def create_app(settings: Settings, *, clock: Clock | None = None, embedded: Warmable | None = None) -> FastAPI:
    """Create the app. Nothing is opened before its lifespan begins.

    Args:
        settings: the settings.
        clock: the clock of all parts; the running loop's if not given.
        embedded: the embedded models; they are loaded after the server has begun to listen.
    """
    app = FastAPI(
        title="bargein",
        version=__version__,
        lifespan=lifespan_of(settings, clock or LoopClock(), embedded),
        docs_url=None,  # these pages load their code from other sites
        redoc_url=None,
        openapi_url=None,  # `openapi.install` adds it
        redirect_slashes=False,
    )
    # the last one added is the outermost
    app.add_middleware(Cors, settings=settings)
    errors.install(app)
    if settings.open_to_loopback_only:
        app.add_middleware(LoopbackGuard)
    app.add_middleware(TrailingSlash)  # outermost: all others see the path without its slash
    routing.install(app)
    openapi.install(app)
    return app
