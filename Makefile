.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run explorer notebooks report screenshots test test-portable test-extras bench bench-large fix gallery model autofaiss lock install

PORT ?= 8501
export OMP_WAIT_POLICY ?= PASSIVE
ONCE ?=
PICTURES ?=
export SIGSCOPE_PICTURES := $(value PICTURES)
export FLICKR8K ?=
export PHOTOS ?=
SHOW = $(if $(SIGSCOPE_PICTURES),--pictures="$$SIGSCOPE_PICTURES")
ifndef PYTHON
PYTHON := $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done),python3)
endif
PY := .venv/bin/python
EXTRAS :=
WORKERS ?= auto
# what the oldest processors can do, and what the newest choose
PORTABLE := ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 OPENBLAS_CORETYPE=Prescott \
	FAISS_OPT_LEVEL=generic SIGSCOPE_DTYPE=bfloat16

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

run: install ## start the explorer, run the notebooks; PICTURES=~/Photos shows those (PORT=8501; ONCE=1)
	@$(PY) -m sigscope run --port $(PORT) $(SHOW) $(if $(ONCE),--once)

explorer: install ## start only the explorer (PORT=8501; PICTURES=~/Photos)
	@$(PY) -m sigscope explorer --port $(PORT) $(SHOW)

notebooks: EXTRAS := test
notebooks: install ## run every notebook in order and keep its output (PICTURES=~/Photos: on those)
	@$(PY) -m sigscope notebooks $(SHOW)

report: install ## write all notebooks as one site of static pages
	@$(PY) -m sigscope report

screenshots: EXTRAS := test
screenshots: install ## renew explorer/screenshots, light, dark and phone
	SIGSCOPE_SCREENSHOTS=explorer/screenshots $(PY) -m pytest tests/explorer/test_screenshots.py

test: EXTRAS := test
test: install ## what CI runs: style, tests, notebooks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	SIGSCOPE_FUZZ=500 $(PY) -m pytest -m "" -n $(WORKERS) --dist loadfile
	$(PY) tests/support/solved.py data/cache/solved
	SIGSCOPE_COMPILE=0 $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		--nbval --nbval-current-env --nbval-cell-timeout=300 @data/cache/solved/longest-first.txt
	@$(MAKE) --no-print-directory test-portable
	@$(MAKE) --no-print-directory test-extras

test-portable: EXTRAS := test
test-portable: install ## encoder, indexes, evaluation as on other processors (end of make test)
	$(PORTABLE) $(PY) -m pytest -n $(WORKERS) --dist loadfile \
		tests/models/test_encoder.py tests/indexes tests/evaluation

test-extras: EXTRAS := test
test-extras: install ## models, stores and engines that need an extra (end of make test)
	$(PY) tests/support/side_environment.py .venv-extras openclip st onnx openvino milvus
	.venv-extras/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		tests/search/test_store.py tests/indexes/test_milvus.py tests/explorer/test_store.py \
		tests/models/test_openclip.py tests/models/test_onnx.py tests/models/test_openvino.py \
		tests/models/test_sentence_transformers.py
	$(PY) tests/support/side_environment.py .venv-ray scale
	.venv-ray/bin/python -m pytest tests/embeddings/test_ray.py

bench: EXTRAS := test openvino
bench: install ## measure speed: ratios within one run (QUICK=1: a few minutes)
	$(PY) tests/benchmarks/run.py $(if $(QUICK),--quick)

bench-large: EXTRAS := test
bench-large: install ## measure an index larger than memory; needs 17 GB of disk (SIGSCOPE_BENCH_N=1000000: fewer)
	$(PY) tests/benchmarks/bench_large.py

fix: EXTRAS := test
fix: install ## put style right
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

gallery: EXTRAS := gallery
gallery: install ## build data/gallery again from its two Debian packages
	$(PY) data/build_gallery.py

model: EXTRAS := train
model: install ## train data/models/siglit-mini again (FLICKR8K=dir PHOTOS=dir: real photographs)
	$(PY) data/train_siglit_mini.py
	$(PY) data/ship_embeddings.py
	$(PY) data/write_model_card.py

autofaiss: install ## build .venv-autofaiss, where AutoFaiss runs (once; about 430 MB)
	@$(PY) -m sigscope.ann.autofaiss

lock: EXTRAS := lock
lock: install ## bring requirements.lock up to date with pyproject.toml (UPGRADE=1: to the newest)
	@$(PY) -m uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--fork-strategy fewest --no-annotate --custom-compile-command "make lock" --quiet \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock

install:
	@command -v $(PYTHON) >/dev/null || { echo "sigscope needs Python 3.11 or newer, and there is no $(PYTHON) on the PATH: install one, or name it with 'make run PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@$(PYTHON) -I lib/sigscope/cli/install.py $(EXTRAS)
