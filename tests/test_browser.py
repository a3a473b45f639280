"""The page for browsers: its folder, its errors, and its answers in Chromium."""

import base64
import contextlib
import http.server
import json
import pathlib
import shutil
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

import tfvae
from tests import checks
from tfvae import browser as web
from tfvae import cli
from tfvae.browser import runtime
from tfvae.runs import builders
from tfvae.runs.config import configure
from tfvae.runs.folder import Run

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]
LABELS = np.arange(12) % 4


def subjects():
    """A model of each kind, by name; one with labels."""
    x = checks.images(12)
    flow = tfvae.flows.Inverse(tfvae.flows.Planar(10, 2))
    prior = tfvae.priors.FlowPrior(10, flow)
    vae = tfvae.VAE(checks.encoder(), checks.decoder(), prior=prior, latent_dim=10)
    network = tfvae.layers.GatedPixelNetwork(checks.SHAPE, 4, 1, context_dim=4)
    generator = tfvae.networks.dcgan_generator(checks.SHAPE, 8)
    gan = tfvae.GAN(generator, checks.encoder(), latent_dim=4)
    return {
        "a VAE #1": web.Subject(vae, x, LABELS),
        "pixelcnn": web.Subject(tfvae.PixelCNN(network, num_classes=4), x, LABELS),
        "gan": web.Subject(gan),
        "ladder": web.Subject(checks.MODELS["LadderVAE"](), x, LABELS),
    }


@pytest.fixture(scope="module")
def litert():
    """Folder `node_modules` with LiteRT.js, if npm can install it."""
    try:
        return runtime.find()
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def empty_litert(tmp_path_factory):
    """Folder `node_modules` with empty files named as those of LiteRT.js."""
    folder = tmp_path_factory.mktemp("node_modules")
    for name in runtime.FILES:
        file = folder / "@litertjs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"version": "2.5.3"}))
    return folder


@pytest.fixture(scope="module")
def models():
    return subjects()


@pytest.fixture(scope="module")
def site(models, litert, tmp_path_factory):
    return web.build(tmp_path_factory.mktemp("site"), models, litert)


@contextlib.contextmanager
def serving(folder):
    with web.server(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_folder_has_all_that_the_page_asks_for(tmp_path, models, empty_litert):
    one = {"a VAE #1": models["a VAE #1"]}
    for each in ({}, one):  # the second over the first
        folder = web.build(tmp_path / "page", each, empty_litert)
    (entry,) = json.loads((folder / "models.json").read_text())["models"]
    assert entry["file"] == "models/a%20VAE%20%231.tflite"
    assert sorted(entry["order"]) == list(range(10))
    assert [example["label"] for example in entry["examples"]] == [0, 1, 2, 3]
    pixels = np.frombuffer(base64.b64decode(entry["examples"][2]["bytes"]), "uint8")
    x, labels = one["a VAE #1"].x, one["a VAE #1"].labels
    np.testing.assert_array_equal(pixels / 255, x[labels == 2][0].ravel())
    page = (folder / "index.html").read_text()
    for file in ("app.js", "style.css", "runtime/@litertjs/core/dist/index.js"):
        assert file in page
        assert (folder / file).is_file()
    assert not list(folder.glob(".tmp-*"))
    with serving(folder) as url:
        kinds = {"app.js": "text/javascript", "models.json": "application/json"}
        kinds["runtime/@litertjs/core/wasm/litert_wasm_internal.wasm"] = (
            "application/wasm"
        )
        for file, kind in kinds.items():
            with urllib.request.urlopen(url + file) as answer:
                assert answer.headers["Content-Type"] == kind


def test_signatures_of_the_page_have_types_that_litert_js_knows(models):
    for subject in models.values():
        signatures = web.models.ForPage(subject.model).lite_signatures()
        types = {spec.dtype for s in signatures.values() for spec in s.inputs}
        assert types <= {tf.float32, tf.int32}


@pytest.fixture
def run(tmp_path):
    """A run whose model is untrained."""
    run, config = Run(tmp_path), configure("vae_digits", ["latent_dim=3"])
    builders.build(config, (8, 8, 1), 1).save(run.model_file)
    run.write("config.json", json.dumps(config))
    return run


def test_a_run_brings_its_test_data_and_without_them_samples(run):
    subject = web.of_run(run)
    assert subject.x.shape[1:] == subject.model.event_shape
    assert len(subject.x) == len(subject.labels)
    config = run.config
    config["data"]["source"] = str(run.path / "gone.npz")
    run.write("config.json", json.dumps(config))
    with pytest.warns(UserWarning, match=r"Samples stand in .*gone.npz"):
        subject = web.of_run(run)
    assert len(web.models.entry(run.path, "vae", subject)["examples"]) == 10


def test_command_line(run, empty_litert, monkeypatch, capsys):
    monkeypatch.setattr(
        http.server.HTTPServer, "serve_forever", lambda _: sys.exit(130)
    )
    where = ["web", str(run.path), "--node-modules", str(empty_litert)]
    assert not cli.app([*where, "--port", "0"], standalone_mode=False)
    assert "Open http://127.0.0.1:" in capsys.readouterr().out
    assert (run.path / "web/index.html").is_file()
    with pytest.raises(ValueError, match="`run` must be folders of different names"):
        cli.app([*where, str(run.path)], standalone_mode=False)


def test_errors_say_what_to_do(tmp_path, monkeypatch, models, empty_litert):
    one = {"gan": models["gan"]}
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="`out` must be a new or empty folder"):
        web.build(tmp_path, one, empty_litert)
    with pytest.raises(ValueError, match="`node_modules` must be .* Run `npm install"):
        web.build(tmp_path / "page", one, tmp_path)
    vectors = tfvae.MADE(tfvae.layers.MaskedAutoencoder((3,), [8]))
    with pytest.raises(ValueError, match="`model` must be of grey or color images"):
        web.build(tmp_path / "page", {"made": web.Subject(vectors)}, empty_litert)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="by npm, which is missing: install it, or"):
        web.build(tmp_path / "page", one)
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(RuntimeError, match="did not install .* no network"):
        web.build(tmp_path / "page", one)
    assert not (tmp_path / "page").exists()
    with web.server(tmp_path, 0) as server:
        with pytest.raises(ValueError, match="`port` must be a free port"):
            web.server(tmp_path, server.server_port)


class Browser:
    """A page in Chromium."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url

    def run(self, code):
        return self.driver.execute_script(code)

    def wait(self, condition):
        stop = time.monotonic() + 20
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < stop, (
                condition,
                self.run("return document.body.innerText"),
            )
            time.sleep(0.03)

    def open(self, path=""):
        self.driver.get(self.url + path)
        self.wait("['ready', 'failed'].includes(document.body.dataset.state)")

    def choose(self, select, text):
        self.run(
            f"const s = document.querySelector('{select}');"
            f"s.value = [...s.options].find((o) => o.text === '{text}').value;"
            "s.dispatchEvent(new Event('change'));"
        )
        self.wait("document.body.dataset.state === 'ready'")
        self.settle()

    def settle(self):
        """Waits until no model runs any more."""
        seen = None
        while (now := self.run("return [tfvae.pending, tfvae.count]")) != [0, seen]:
            seen = now[1]
            time.sleep(0.1)

    def picture(self, selector):
        code = f"return document.querySelector('{selector}').toDataURL()"
        return self.run(code)

    def last(self, name):
        """Inputs and outputs of the last run, of one row, as arrays by name."""
        self.settle()
        last = self.run(
            "const floats = (o) => Object.fromEntries(Object.entries(o).map("
            "([k, v]) => [k, Array.from(v)]));"
            "const { name, inputs, outputs } = window.tfvae;"
            "return [name, floats(inputs), floats(outputs)]"
        )
        assert last[0] == name
        return [{k: np.float32(v)[None] for k, v in part.items()} for part in last[1:]]

    def errors(self):
        log = self.driver.get_log("browser")
        return [line["message"] for line in log if line["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browser(site, tmp_path_factory):
    with opened(site, tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@contextlib.contextmanager
def opened(site, folder):
    """A `Browser` of a site, with a profile of its own in the folder."""
    webdriver = pytest.importorskip("selenium.webdriver")
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.skip("chromium and chromedriver are not there")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in CHROMIUM:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(programs[1])
    with serving(site) as url, webdriver.Chrome(options, service) as driver:
        yield Browser(driver, url)


def test_sliders_change_the_picture_as_keras_does(browser, models):
    from selenium.webdriver import Keys

    browser.open()
    browser.settle()
    assert browser.errors() == []
    before = browser.picture("section:first-child .picture")
    slider = browser.driver.find_element("css selector", ".sliders input")
    slider.send_keys(Keys.END if float(slider.get_property("value")) < 0 else Keys.HOME)
    given, answer = browser.last("decode")
    assert browser.picture("section:first-child .picture") != before
    wanted = models["a VAE #1"].model.decode(given["z"])
    np.testing.assert_allclose(answer["x"], np.reshape(wanted, [1, -1]), atol=1e-3)


def test_a_ladder_has_a_temperature_and_levels_that_are_kept(browser, models):
    browser.open()
    assert not browser.driver.find_element("css selector", ".ladder").is_displayed()
    browser.choose("#model", "ladder")
    assert browser.driver.find_element("css selector", ".ladder").is_displayed()
    assert len(browser.driver.find_elements("css selector", ".sliders input")) == 3

    def set_to(name, value):
        browser.run(
            f"const input = document.querySelector('.{name}'); input.value = {value};"
            "input.dispatchEvent(new Event('input'));"
        )
        browser.settle()
        return browser.last("decode")

    warm, _ = set_to("temperature", 1.0)
    cool, answer = set_to("temperature", 0.5)
    np.testing.assert_allclose(cool["z"], 0.5 * warm["z"], rtol=1e-5)
    wanted = models["ladder"].model.decode(cool["z"])
    np.testing.assert_allclose(answer["x"], np.reshape(wanted, [1, -1]), atol=1e-3)
    coarse, _ = set_to("levels", 1)
    np.testing.assert_array_equal(coarse["z"][:, :3], cool["z"][:, :3])
    assert not coarse["z"][:, 3:].any()


def test_sampling_and_interpolating_between_drawings(browser, models):
    browser.open()
    browser.settle()
    before = browser.picture(".samples canvas")
    browser.run("document.querySelector('.sample').click()")
    browser.settle()
    assert browser.picture(".samples canvas") != before
    path = browser.run("return document.querySelectorAll('.path canvas').length")
    assert path == 9
    before = browser.picture(".line .stage .picture")
    draw(browser, ".line .pad")
    given, answer = browser.last("decode")
    assert browser.picture(".line .stage .picture") != before
    wanted = models["a VAE #1"].model.decode(given["z"])
    np.testing.assert_allclose(answer["x"], np.reshape(wanted, [1, -1]), atol=1e-3)
    assert browser.errors() == []


def draw(browser, selector, kind="mouse"):
    """A stroke across a pad, with a mouse or a finger ("touch")."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.pointer_input import PointerInput

    pad = browser.driver.find_element("css selector", selector)
    browser.run(f"document.querySelector('{selector}').scrollIntoView()")
    way = pad.size["width"] // 4
    actions = ActionChains(browser.driver, 50, [PointerInput(kind, kind)])
    actions.move_to_element_with_offset(pad, -way, -way).click_and_hold()
    actions.move_to_element_with_offset(pad, way, -way // 3).release().perform()


def test_completing_keeps_what_was_drawn(browser, models):
    browser.open()
    browser.choose("#model", "pixelcnn")
    browser.choose("#label", "3")
    browser.run("document.querySelector('.clear').click()")
    draw(browser, ".pad")
    browser.run("document.querySelector('.run').click()")
    browser.wait("document.getElementById('status').textContent === '6 drawn.'")
    given, answer = browser.last("complete")
    assert given["y"] == 3
    seen = given["observed"] > 0
    assert seen.sum() == 32
    assert given["x"].sum() > 3
    np.testing.assert_array_equal(answer["x"][seen], given["x"][seen])
    complete = models["pixelcnn"].model.lite_signatures()["complete"].function
    x, observed = (given[k].reshape(1, 8, 8, 1) for k in ("x", "observed"))
    y = given["y"].astype("int32")[0]
    wanted = complete(x=x, observed=observed > 0, noise=given["noise"], y=y)
    np.testing.assert_allclose(answer["x"], np.reshape(wanted["x"], [1, -1]), atol=1e-3)
    assert (
        browser.run("return document.querySelectorAll('.results canvas').length") == 6
    )
    assert browser.errors() == []


def test_models_without_an_encoder_start_from_samples(browser):
    browser.open()
    browser.choose("#model", "gan")
    assert browser.run("return document.querySelectorAll('.path canvas').length") == 9
    assert not browser.run("return document.querySelectorAll('.pad').length")
    assert browser.errors() == []


def test_narrow_screens_are_drawn_on_with_a_finger(browser):
    size = {"width": 375, "height": 700, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.open()
    assert browser.run("return document.documentElement.scrollWidth") == 375
    browser.settle()
    browser.run("document.querySelector('.pad').scrollIntoView()")
    before = browser.picture(".pad"), browser.run("return scrollY")
    draw(browser, ".pad", "touch")
    assert browser.picture(".pad") != before[0]
    assert browser.run("return scrollY") == before[1]
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_damaged_and_missing_files_are_told(browser, site, tmp_path):
    manifest = json.loads((site / "models.json").read_text())
    name = "models/a VAE #1.tflite"
    content = (site / name).read_bytes()
    try:
        (site / name).write_bytes(content[:-1] + b"!")
        browser.open()
        assert "checksum differs" in browser.run("return error.textContent")
        (site / name).unlink()
        browser.open()
        assert "could not be loaded (404" in browser.run("return error.textContent")
        (site / name).write_bytes(content)
        missing = site / "runtime/@litertjs/core/wasm/litert_wasm_internal.js"
        missing.rename(tmp_path / "aside.js")
        browser.open()
        assert "LiteRT.js did not start" in browser.run("return error.textContent")
        (tmp_path / "aside.js").rename(missing)
        (site / "models.json").unlink()
        browser.open()
        assert "models.json could not be" in browser.run("return error.textContent")
    finally:
        (site / name).write_bytes(content)
        (site / "models.json").write_text(json.dumps(manifest))
    browser.errors()  # expected here; cleared for later tests


@pytest.mark.slow
def test_published_models_answer_in_the_page_as_in_keras(litert, tmp_path):
    folder = pathlib.Path(__file__).parents[1] / "savedmodels"
    names = sorted(p.parent.name for p in folder.glob("*_*mnist/*.keras"))
    if not names:
        pytest.skip("this copy has no published models")
    subjects = web.subjects([pathlib.Path(name) for name in names])
    site = web.build(tmp_path / "site", subjects, litert)
    with opened(site, tmp_path / "chromium") as browser:
        browser.open()
        for name in names:
            browser.choose("#model", name)
            model = subjects[name].model
            if hasattr(model, "complete"):
                browser.run("document.querySelector('.run').click()")
                browser.wait("tfvae.name === 'complete'")
                given, answer = browser.last("complete")
                complete = model.lite_signatures()["complete"].function
                x, seen = (given[k].reshape(1, 28, 28, 1) for k in ("x", "observed"))
                wanted = complete(x=x, observed=seen > 0, noise=given["noise"])["x"]
            else:
                browser.run("document.querySelector('.sample').click()")
                given, answer = browser.last("decode")
                wanted = model.decode(given["z"])
            error = np.abs(answer["x"] - np.reshape(wanted, [1, -1]))
            assert error.max() <= 1e-3, name
            assert browser.errors() == [], name
