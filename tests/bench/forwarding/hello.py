"""The bare application that ours is compared with: Flask, one view, nothing else."""

from flask import Flask

app = Flask(__name__)


@app.post("/api/v1/events")
@app.get("/")
def hello() -> tuple[dict[str, str], int]:
    """Say so."""
    return {"hello": "world"}, 202
