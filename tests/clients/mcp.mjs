// An assistant's client, of each TypeScript SDK, that talks with `roosync mcp`; what it finds is told a line at a time.
// Standard input is one line: {"sdk": "sdk" | "client", "url": ..., "token": ...} or {"sdk": ..., "command": [...], "env": {...}},
// and {"watch": uri}. After {"ready": ...} it waits for that resource to change, and ends with {"updated": [...]}.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { createInterface } from "node:readline";

const need = createRequire(`${process.env.ROOSYNC_TEST_CLIENTS}/package.json`);
const load = (name) => import(pathToFileURL(need.resolve(name)).href).then((module) => module.default?.Client ? module.default : module);
const tell = (what) => process.stdout.write(JSON.stringify(what) + "\n");

async function parts(sdk) {
  if (sdk === "client") {
    const [main, stdio] = [await load("@modelcontextprotocol/client"), await load("@modelcontextprotocol/client/stdio")];
    return { ...main, ...stdio };
  }
  const base = "@modelcontextprotocol/sdk/client";
  const [main, stdio, http, types] = [
    await load(`${base}/index.js`), await load(`${base}/stdio.js`), await load(`${base}/streamableHttp.js`),
    await load("@modelcontextprotocol/sdk/types.js"),
  ];
  return { ...main, ...stdio, ...http, ...types };
}

function transport(sdk, asked) {
  if (asked.url) {
    const headers = { Authorization: `Bearer ${asked.token}` };
    return new sdk.StreamableHTTPClientTransport(new URL(asked.url), { requestInit: { headers } });
  }
  const [command, ...args] = asked.command;
  return new sdk.StdioClientTransport({ command, args, env: asked.env, stderr: "inherit" });
}

async function run(asked) {
  const sdk = await parts(asked.sdk);
  const options = asked.sdk === "client" ? { versionNegotiation: { mode: { pin: "2026-07-28" } } } : {};
  const client = new sdk.Client({ name: "roosync-tests", version: "1" }, options);
  const seen = new Set();
  let done;
  const both = new Promise((resolve) => (done = resolve));
  const heard = (name) => { seen.add(name); if (seen.has(asked.watch) && seen.has("list")) done(); };
  const newer = asked.sdk === "client";
  client.setNotificationHandler(newer ? "notifications/resources/updated" : sdk.ResourceUpdatedNotificationSchema, (n) => heard(n.params.uri));
  client.setNotificationHandler(newer ? "notifications/resources/list_changed" : sdk.ResourceListChangedNotificationSchema, () => heard("list"));
  await client.connect(transport(sdk, asked));
  const tools = (await client.listTools()).tools;
  const status = await client.callTool({ name: "roosync_get_status", arguments: {} });
  const resources = (await client.listResources()).resources.map((one) => one.uri);
  const read = await client.readResource({ uri: "roosync://status" });
  const prompt = await client.getPrompt({ name: "explain_decision", arguments: { id: "d-1" } });
  const wrong = await client.callTool({ name: "roosync_get_decision_details", arguments: { id: 7 } }).then((a) => a.isError, () => true);
  const refused = await client.readResource({ uri: "roosync://nothing" }).then(() => false, () => true);
  if (newer) await client.listen({ resourcesListChanged: true, resourceSubscriptions: [asked.watch] });
  else await client.subscribeResource({ uri: asked.watch });
  tell({
    ready: tools.map((one) => one.name), schemas: tools.every((one) => one.inputSchema.type === "object" && one.outputSchema),
    status: status.structuredContent, resources, text: read.contents[0].text, prompt: prompt.messages[0].content.text, wrong, refused,
  });
  await both;
  tell({ updated: [...seen] });
  await client.close();
}

createInterface({ input: process.stdin }).once("line", (line) =>
  run(JSON.parse(line)).then(() => process.exit(0), (error) => { tell({ error: String(error?.stack ?? error) }); process.exit(1); }));
