/** Models that run in this page, on LiteRT.js. */

let litert;
// What runs and ran last, for tests and the console.
const trace = (globalThis.tfvae = { pending: 0, count: 0 });

/** Loads LiteRT.js once. */
async function start() {
  // Its log comes through stderr, which would make an error of every line.
  self.Module = {
    printErr: (line) => (/^(INFO|WARNING)/.test(line) ? console.debug : console.error)(line),
  };
  try {
    const module = await import("@litertjs/core");
    await module.loadLiteRt("runtime/@litertjs/core/wasm/");
    return module;
  } catch (error) {
    const reason = error?.message ?? "a file of it could not be loaded";
    throw new Error(`LiteRT.js did not start: ${reason}. Build the page again with tfvae web.`);
  }
}

/** The bytes of a file, if it is there. */
export async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) {
    const answer = `${response.status} ${response.statusText}`;
    throw new Error(`The file ${path} could not be loaded (${answer}).`);
  }
  return response.arrayBuffer();
}

/** The bytes of a file, if they are those that were exported: the runtime itself would
 * run a damaged file, or crash. */
async function verified(path, sha256) {
  const bytes = await fetched(path);
  if (!globalThis.crypto?.subtle) {
    throw new Error("Checksums take a page from https or from this machine (127.0.0.1).");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== sha256) {
    throw new Error(`The file ${path} is damaged, or of another export: its checksum differs.`);
  }
  return new Uint8Array(bytes);
}

/** One model of the manifest, compiled. */
export class Model {
  constructor(entry, compiled) {
    Object.assign(this, entry);
    this.compiled = compiled;
    this.turn = Promise.resolve();
  }

  static async load(entry) {
    const bytes = await verified(entry.file, entry.sha256);
    litert ??= start();
    litert.catch(() => (litert = undefined)); // to try again
    const { loadAndCompile } = await litert;
    return new Model(entry, await loadAndCompile(bytes, { accelerator: "wasm" }));
  }

  can(name) {
    return name in this.compiled.signatures;
  }

  /** Runs a signature on arrays by name; one after the other, as the runtime has to. */
  run(name, inputs) {
    trace.pending++;
    const turn = this.turn
      .then(() => this.#run(name, inputs))
      .finally(() => trace.pending--);
    this.turn = turn.catch(() => {});
    return turn;
  }

  async #run(name, inputs) {
    const { Tensor } = await litert;
    const tensors = {};
    for (const { name: key, shape } of this.compiled.signatures[name].getInputDetails()) {
      tensors[key] = new Tensor(inputs[key], shape);
    }
    const outputs = {};
    for (const [key, tensor] of Object.entries(await this.compiled.run(name, tensors))) {
      outputs[key] = await tensor.data();
      tensor.delete();
    }
    for (const tensor of Object.values(tensors)) tensor.delete();
    Object.assign(trace, { count: trace.count + 1, name, inputs, outputs });
    return outputs;
  }
}
