"""`sigscope models`: what is on this machine, and downloads."""

import typer

from sigscope.cli.options import AsJson
from sigscope.cli.output import print_table, waiting

EPILOG = """
Examples:

    sigscope models

    sigscope models fetch google/siglip-base-patch16-224

    SIGSCOPE_MODEL=google/siglip-base-patch16-224 sigscope search "a red bus"
"""
app = typer.Typer(context_settings={"help_option_names": ["-h", "--help"]})


@app.callback(invoke_without_command=True, epilog=EPILOG)
def models(context: typer.Context, as_json: AsJson = False) -> None:
    """List the models on this machine, or download one."""
    if context.invoked_subcommand:
        return
    from sigscope.models.cached import cached_models

    with waiting("Looking into the model cache ..."):
        table = cached_models()
    print_table(table, as_json=as_json, digits={"megabytes": ",.0f"})


@app.command()
def fetch(name: str = typer.Argument(metavar="NAME", help="Its name on the model hub.")) -> None:
    """Download a model; an interrupted download goes on where it stopped."""
    from sigscope.models.cached import fetch_model

    model = fetch_model(name)
    print(
        f"{model.model} is here: {model.family}, {model.dimension}-d, {model.megabytes:,.0f} MB. "
        f"SIGSCOPE_MODEL={model.model} chooses it."
    )
