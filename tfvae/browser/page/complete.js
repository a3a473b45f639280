/** A picture in part, and what the model makes of it. */

import { Pad } from "./pad.js";
import { strip } from "./picture.js";
import { frame, uniform } from "./tools.js";

const COUNT = 6;

/** Sets the section up; returns what to do when the label changes. */
export function setUp(root, model, page) {
  const find = (name) => root.querySelector(name);
  const [height, width, channels] = model.shape;
  const [side, kept, output] = [find(".side"), find(".kept"), find("output")];
  const isKept = (row, column) => (side.value === "rows" ? row : column) < kept.value;
  let current = 0;
  const pad = new Pad(find(".end"), model, () => current++);
  pad.faded = (row, column) => !isKept(row, column);
  const show = () => {
    current++;
    output.value = `${kept.value} of ${kept.max} ${side.value}`;
    pad.paint();
  };
  const resize = () => {
    kept.max = side.value === "rows" ? height : width;
    kept.value = Math.round(kept.max / 2);
    show();
  };
  const observed = () =>
    Float32Array.from(pad.pixels, (_, i) => {
      const pixel = Math.floor(i / channels);
      return isKept(Math.floor(pixel / width), pixel % width) ? 1 : 0;
    });
  const draw = page.guarded(async (mask) => {
    const turn = ++current;
    const x = pad.pixels.map((value, i) => value * mask[i]);
    const items = [];
    for (let i = 1; i <= COUNT; i++) {
      page.say(`Drawing ${i} of ${COUNT}…`);
      await frame();
      const inputs = { x, observed: mask, noise: uniform(model.noise_dim), ...page.label() };
      const { x: pixels } = await model.run("complete", inputs);
      if (turn !== current || !root.isConnected) return;
      items.push({ pixels, name: `Completion ${i}` });
      strip(find(".results"), items, model.shape);
    }
    page.say(`${COUNT} drawn.`);
  });
  side.addEventListener("change", resize);
  kept.addEventListener("input", show);
  find(".run").addEventListener("click", () => draw(observed()));
  find(".sample").addEventListener("click", () => draw(new Float32Array(pad.pixels.length)));
  resize();
  pad.root.querySelector(".thumb")?.click();
  return () => current++;
}
