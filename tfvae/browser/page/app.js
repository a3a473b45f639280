/** The page: loads the models that `tfvae web` exported, and shows what each can do. */

import * as between from "./between.js";
import * as complete from "./complete.js";
import * as latent from "./latent.js";
import { fetched, Model } from "./runtime.js";
import { normal } from "./tools.js";

// Sections by the signature that they need.
const SECTIONS = [
  ["latent", "decode", latent.setUp],
  ["between", "decode", between.setUp],
  ["complete", "complete", complete.setUp],
];
const find = (id) => document.getElementById(id);
const models = new Map();

/** What sections have in common for a model. */
class Page {
  constructor(model) {
    this.model = model;
  }

  say(text) {
    say(text);
  }

  /** A function whose errors are shown. */
  guarded(task) {
    return guarded(task);
  }

  /** The input that is the label, where there is one. */
  label() {
    const { condition, num_classes } = this.model;
    return num_classes ? { [condition]: Int32Array.of(find("label").value) } : {};
  }

  async decode(z) {
    return (await this.model.run("decode", { z, ...this.label() })).x;
  }

  async encode(x) {
    return (await this.model.run("encode", { x, ...this.label() })).z;
  }

  /** Noise of so many draws of the prior. */
  noise(count) {
    return Array.from({ length: count }, () => normal(this.model.noise_dim));
  }

  /** Draws of the prior, decoded; a temperature below 1 makes them more typical. */
  async samples(noises, temperature = 1) {
    const items = [];
    for (const noise of noises) {
      const learned = this.model.can("prior_sample");
      const inputs = { noise, ...this.label() };
      const drawn = learned ? (await this.model.run("prior_sample", inputs)).z : noise;
      const z = drawn.map((value) => temperature * value);
      const name = `Sample ${items.length + 1}`;
      items.push({ z, pixels: await this.decode(z), name });
    }
    return items;
  }
}

function say(text) {
  find("status").textContent = text;
}

function guarded(task) {
  return async (...given) => {
    try {
      return await task(...given);
    } catch (error) {
      fail(error);
    }
  };
}

function fail(error) {
  console.warn(error);
  say("");
  find("error").hidden = false;
  find("error").textContent = error.message;
  document.body.dataset.state = "failed";
}

/** Shows the sections of the model that is chosen. */
async function show(entries) {
  const entry = entries[find("model").value];
  document.body.dataset.state = "loading";
  find("error").hidden = true;
  find("main").replaceChildren();
  say(`Loading ${entry.name}…`);
  if (!models.has(entry)) models.set(entry, await Model.load(entry));
  const model = models.get(entry);
  if (entries[find("model").value] !== entry) return; // another was chosen meanwhile
  choices(find("label"), model.num_classes, (i) => i);
  find("labels").hidden = !model.num_classes;
  const page = new Page(model);
  const able = SECTIONS.filter(([, signature]) => model.can(signature));
  const refresh = able.map(([id, , setUp]) => setUp(section(id, model), model, page));
  find("label").onchange = () => refresh.forEach((again) => again());
  const [height, width] = model.shape;
  say(`${entry.name} is ready: a ${entry.model} of ${height} × ${width} pixels.`);
  document.body.dataset.state = "ready";
}

/** A copy of a template in the page, without what the model cannot do. */
function section(id, model) {
  const root = find(id).content.cloneNode(true).firstElementChild;
  const unable = model.can("encode") ? ".no-encoder" : ".encoder";
  for (const part of root.querySelectorAll(unable)) part.remove();
  find("main").append(root);
  return root;
}

function choices(select, count, name) {
  const options = Array.from({ length: count }, (_, i) => new Option(name(i), i));
  select.replaceChildren(...options);
}

/** The manifest, with pixels as floats. */
async function manifest() {
  const text = new TextDecoder().decode(await fetched("models.json"));
  const entries = JSON.parse(text).models;
  for (const entry of entries) {
    entry.examples = entry.examples.map(({ label, bytes }, i) => ({
      name: label === null ? `Example ${i + 1}` : `Example of label ${label}`,
      pixels: Float32Array.from(atob(bytes), (byte) => byte.charCodeAt(0) / 255),
    }));
  }
  return entries;
}

await guarded(async () => {
  const entries = await manifest();
  choices(find("model"), entries.length, (i) => entries[i].name);
  find("model").disabled = entries.length < 2;
  const again = guarded(() => show(entries));
  find("model").addEventListener("change", again);
  await again();
})();
