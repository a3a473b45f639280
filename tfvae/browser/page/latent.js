/** Sliders through latent space. */

import { paint, release, strip } from "./picture.js";
import { latest } from "./tools.js";

const FIRST = 8; // sliders in view; the others unfold
const SAMPLES = 10;

/** Sets the section up; returns what to do when the label changes. */
export function setUp(root, model, page) {
  let z = new Float32Array(model.latent_dim);
  const find = (name) => root.querySelector(name);
  const picture = find(".picture");
  const ladder = new Ladder(root, model);
  const show = latest(page, async () => {
    paint(picture, await page.decode(ladder.kept(z)), model.shape);
  });
  const sliders = model.order.map((axis) => slider(axis, model.span));
  for (const { input, output, axis } of sliders) {
    input.addEventListener("input", () => {
      z[axis] = input.valueAsNumber;
      output.value = z[axis].toFixed(2);
      show();
    });
  }
  const move = (values) => {
    z = Float32Array.from(values);
    for (const { input, output, axis } of sliders) {
      input.value = z[axis];
      output.value = z[axis].toFixed(2);
    }
    return show();
  };
  place(root, sliders);
  const row = find(".samples");
  let noise = page.noise(SAMPLES);
  const draw = latest(page, async () => {
    const drawn = await page.samples(noise, ladder.temperature);
    strip(row, drawn, model.shape, (item) => move(item.z));
    row.firstElementChild.click();
  });
  const sample = () => {
    noise = page.noise(SAMPLES);
    return draw();
  };
  ladder.listen(draw, show);
  find(".sample").addEventListener("click", sample);
  find(".center").addEventListener("click", () => {
    release(row);
    move(z.fill(0));
  });
  const begin = page.guarded(async (item) => move(await page.encode(item.pixels)));
  if (model.can("encode")) strip(find(".examples"), model.examples, model.shape, begin);
  draw();
  return show;
}

/** What a ladder has beside its sliders: a temperature, and levels that are kept. */
class Ladder {
  constructor(root, model) {
    this.root = root.querySelector(".ladder");
    this.sizes = model.level_sizes;
    const count = this.sizes.length;
    this.root.hidden = !count;
    const levels = this.root.querySelector(".levels");
    levels.max = levels.value = count;
    for (const input of this.root.querySelectorAll("input")) {
      const output = input.parentElement.querySelector("output");
      const say = () => {
        const all = `${input.value} of ${count}`;
        output.value = input === levels ? all : input.valueAsNumber.toFixed(2);
      };
      input.addEventListener("input", say);
      say();
    }
  }

  listen(draw, show) {
    this.root.querySelector(".temperature").addEventListener("input", draw);
    this.root.querySelector(".levels").addEventListener("input", show);
  }

  get temperature() {
    return this.root.querySelector(".temperature").valueAsNumber;
  }

  /** A copy of z with zeros in the levels that are not kept. */
  kept(z) {
    if (this.root.hidden) return z;
    const levels = this.root.querySelector(".levels").valueAsNumber;
    const first = this.sizes.slice(0, levels).reduce((a, b) => a + b, 0);
    return z.map((value, i) => (i < first ? value : 0));
  }
}

function slider(axis, span) {
  const element = document.createElement("label");
  element.className = "slider";
  element.innerHTML = `<span>z<sub>${axis + 1}</sub></span>
    <input type="range" min="${-span}" max="${span}" step="0.01" value="0">
    <output>0.00</output>`;
  const [input, output] = ["input", "output"].map((name) => element.querySelector(name));
  return { axis, element, input, output };
}

function place(root, sliders) {
  const [first, others] = root.querySelectorAll(".sliders");
  const elements = sliders.map(({ element }) => element);
  first.append(...elements.slice(0, FIRST));
  others.append(...elements.slice(FIRST));
  const details = root.querySelector("details");
  details.hidden = elements.length <= FIRST;
  details.querySelector("summary").textContent = `The other ${elements.length - FIRST}`;
}
