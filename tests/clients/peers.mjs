// What other clients' code makes of texts: one question a line on standard input, one answer a line on standard output.
// {"ask": "parse", "peer": "yaml", "text": ...}             -> {"value": ...} or {"error": ...}
// {"ask": "modify", "text": ..., "path": [...], "value": ...} -> {"text": ..., "value": ...}: the edit as VS Code makes it
// The modules are those of the folder in ROOSYNC_TEST_CLIENTS, where `npm install` has put them.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const need = createRequire(`${process.env.ROOSYNC_TEST_CLIENTS}/package.json`);
const jsonc = need("jsonc-parser");
const yaml = need("yaml");
const jsYaml = need("js-yaml");
const toml = need("smol-toml");
const roo = need("@roo-code/types");

function jsoncValue(text) {
  const errors = [];
  const value = jsonc.parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true, disallowComments: false });
  if (errors.length) throw new Error(jsonc.printParseErrorCode(errors[0].error));
  return value;
}

// As Roo reads custom_modes.yaml and .roomodes: YAML first, then its own schema.
function rooModes(text) {
  const read = roo.customModesSettingsSchema.safeParse(yaml.parse(text.replace(/^\uFEFF/, "")) ?? { customModes: [] });
  if (!read.success) throw new Error(JSON.stringify(read.error.issues.slice(0, 3)));
  return read.data;
}

const peers = {
  "jsonc-parser": jsoncValue,
  yaml: (text) => yaml.parse(text, { uniqueKeys: true }),
  "js-yaml": (text) => jsYaml.load(text, { schema: jsYaml.CORE_SCHEMA }) ?? null,
  "smol-toml": (text) => toml.parse(text, { integersAsBigInt: true }),
  "@roo-code/types": rooModes,
};

function modify({ text, path, value, insert, format }) {
  const options = { formattingOptions: format, isArrayInsertion: Boolean(insert) };
  const result = jsonc.applyEdits(text, jsonc.modify(text, path, value, options)); // no value: delete
  return { text: result, value: jsoncValue(result) };
}

// Integers of TOML are as long as they like: as the nearest number of JavaScript.
const plain = (_, value) => (typeof value === "bigint" ? Number(value) : value);

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = question.ask === "modify" ? modify(question) : { value: peers[question.peer](question.text) };
  } catch (error) {
    answer = { error: `${error.message ?? error}` };
  }
  process.stdout.write(`${JSON.stringify(answer, plain)}\n`);
}
