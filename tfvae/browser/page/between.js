/** The line between two pictures, drawn or chosen. */

import { Pad } from "./pad.js";
import { paint, strip } from "./picture.js";
import { latest } from "./tools.js";

const STEPS = 9;
const SAMPLES = 10;

/** Sets the section up; returns what to do when the label changes. */
export function setUp(root, model, page) {
  const ends = [];
  const [way, output] = [".way", "output"].map((name) => root.querySelector(name));
  const at = (t) => ends[0].z.map((from, i) => (1 - t) * from + t * ends[1].z[i]);
  const show = latest(page, async () => {
    const t = way.valueAsNumber;
    output.value = `${Math.round(100 * t)} %`;
    paint(root.querySelector(".stage .picture"), await page.decode(at(t)), model.shape);
  });
  const path = latest(page, async () => {
    if (ends.length < 2) return; // not yet
    for (const end of ends) await end.find();
    const items = [];
    for (let i = 0; i < STEPS; i++) {
      const t = i / (STEPS - 1);
      const name = `${Math.round(100 * t)} % of the way`;
      items.push({ t, name, pixels: await page.decode(at(t)) });
    }
    strip(root.querySelector(".path"), items, model.shape, ({ t }) => {
      way.value = t;
      show();
    });
    await show();
  });
  way.addEventListener("input", show);
  const make = model.can("encode") ? drawn : chosen;
  const begin = page.guarded(async () => {
    const places = [...root.querySelectorAll(".end")];
    ends.push(...(await Promise.all(places.map((place) => make(place, model, page, path)))));
    places.forEach((place, i) => place.querySelectorAll(".thumb")[i]?.click());
  });
  begin();
  return path;
}

/** An end that is a drawing: its z is that of the encoder. */
async function drawn(place, model, page, changed) {
  const pad = new Pad(place, model, () => changed());
  return {
    async find() {
      this.z = await page.encode(pad.pixels);
    },
  };
}

/** An end that is one of some samples, whose z is known. */
async function chosen(place, model, page, changed) {
  const canvas = document.createElement("canvas");
  canvas.className = "picture";
  canvas.setAttribute("aria-hidden", "true"); // it is among the buttons
  const row = document.createElement("div");
  row.className = "strip";
  place.append(canvas, row);
  const end = { z: new Float32Array(model.latent_dim), async find() {} };
  strip(row, await page.samples(page.noise(SAMPLES)), model.shape, (item) => {
    end.z = item.z;
    paint(canvas, item.pixels, model.shape);
    changed();
  });
  return end;
}
