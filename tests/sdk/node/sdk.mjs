// Checks of Vapi's own TypeScript SDK against a server: a line of standard input is a request, a line of standard
// output its answer, as in ../python_sdk.py.
//
//     {"check": NAME, "url": …, "key": …} -> {"ok": true} or {"ok": false, "why": a stack}

import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { VapiClient, VapiError } from "@vapi-ai/server-sdk";

const NOWHERE = "00000000-0000-4000-8000-000000000000";
const SECRET = "a-long-secret-of-a-number";
const LONG_AGO = "2020-01-01T00:00:00Z";

/** What every resource has. */
function whole(answer) {
  for (const field of ["id", "orgId", "createdAt", "updatedAt"]) assert.equal(typeof answer[field], "string", field);
  assert.ok(new Date(answer.createdAt) <= new Date(answer.updatedAt));
  return answer;
}

/** A request's fields, as far as the answer has them. */
function has(answer, asked, ...except) {
  for (const [name, value] of Object.entries(asked)) {
    if (!except.includes(name)) assert.deepEqual(answer[name], value, name);
  }
}

async function refused(ask, status) {
  try {
    await ask();
  } catch (error) {
    assert.ok(error instanceof VapiError, String(error?.stack));
    assert.equal(error.statusCode, status, error.message);
    assert.equal(error.body.statusCode, status, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was refused" });
}

async function gone(resource, id) {
  await refused(() => resource.get({ id }), 404);
  await refused(() => resource.delete({ id }), 404);
}

const ids = (answers) => answers.map(({ id }) => id);

async function kept(resource, asked, change, ...except) {
  const made = whole(await resource.create(asked));
  has(made, asked, ...except);
  const back = whole(await resource.get({ id: made.id }));
  has(back, asked, ...except);
  const changed = whole(await resource.update({ id: made.id, ...change }));
  has(changed, { ...asked, ...(change.body ?? change) }, ...except);
  const listed = await resource.list({ limit: 1000 });
  assert.ok(ids(listed.results ?? listed).includes(made.id));
  assert.equal((await resource.delete({ id: made.id })).id, made.id);
  await gone(resource, made.id);
}

const checks = {
  async assistants({ assistants }) {
    const asked = {
      name: "Ann",
      firstMessage: "Hi {{name}}!",
      model: {
        provider: "custom-llm",
        url: "http://127.0.0.1:9/v1",
        model: "m",
        messages: [{ role: "system", content: "Be kind." }],
      },
      voice: { provider: "custom-voice", server: { url: "http://127.0.0.1:9" } },
      transcriber: { provider: "deepgram", model: "nova-3", language: "en" },
      stopSpeakingPlan: { numWords: 2, voiceSeconds: 0.3, backoffSeconds: 0.5 },
      startSpeakingPlan: { waitSeconds: 0.6 },
      clientMessages: ["user-interrupted", "model-output"],
      hooks: [{ on: "assistant.speech.interrupted", do: [{ type: "say", exact: ["Sorry.", "Go on."] }] }],
      metadata: { ours: { deep: [1] } },
    };
    await kept(assistants, asked, { firstMessage: "Hello.", stopSpeakingPlan: { numWords: 3 } });
  },

  async phone_numbers({ phoneNumbers }) {
    const numbers = [
      { provider: "twilio", number: "+15550200001", twilioAccountSid: "AC1", twilioAuthToken: SECRET },
      { provider: "vonage", number: "15550200002", credentialId: NOWHERE },
      { provider: "telnyx", number: "+15550200003", credentialId: NOWHERE },
      { provider: "vapi", sipUri: "sip:ann@sip.vapi.ai", authentication: { username: "a-name-of-a-number-that-is-long", password: SECRET } },
      { provider: "byo-phone-number", number: "+15550200005", credentialId: NOWHERE, numberE164CheckEnabled: true },
    ];
    for (const number of numbers) {
      const asked = { ...number, name: "one" };
      const change = { body: { provider: number.provider, name: "two" } };
      await kept(phoneNumbers, asked, change, "twilioAuthToken", "authentication");
      const made = await phoneNumbers.create(asked);
      assert.ok(!JSON.stringify(made).includes(SECRET));
      const page = await phoneNumbers.phoneNumberControllerFindAllPaginated({ limit: 1000 });
      assert.ok(ids(page.results).includes(made.id));
      assert.ok(page.metadata.totalItems >= 1);
      await phoneNumbers.delete({ id: made.id });
    }
  },

  async tools({ tools }) {
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
    const all = [
      {
        type: "function",
        function: { name: "weather", description: "The weather of a city.", parameters },
        server: { url: "https://tools.example.com/hook", timeoutSeconds: 7 },
      },
      { type: "apiRequest", url: "https://api.example.com/x", method: "POST", name: "order" },
      { type: "endCall" },
      { type: "dtmf" },
      { type: "transferCall", destinations: [{ type: "number", number: "+15550200009" }] },
      { type: "handoff", destinations: [{ type: "assistant", assistantName: "Bob" }] },
      { type: "mcp", server: { url: "https://mcp.example.com" } },
      { type: "query", knowledgeBases: [] },
      { type: "voicemail" },
      { type: "sms" },
    ];
    for (const asked of all) {
      const messages = [{ type: "request-start", content: "One moment." }];
      await kept(tools, asked, { body: { type: asked.type, messages } });
    }
  },

  async calls({ calls, assistants }) {
    const { id: assistantId } = await assistants.create({ name: "Carl", firstMessage: "Hi." });
    const audioFormat = { format: "mulaw", container: "raw", sampleRate: 8000 };
    const transport = { provider: "vapi.websocket", audioFormat };
    const asked = {
      assistantId,
      name: "A call",
      assistantOverrides: { variableValues: { name: "Ada" } },
      customer: { number: "+15551234567", name: "Ada" },
    };
    const made = whole(await calls.create({ ...asked, transport }));
    has(made, { ...asked, type: "vapi.websocketCall", status: "queued" });
    has(made.transport, transport);
    assert.match(made.transport.websocketCallUrl, /^ws/);
    assert.match(made.monitor.listenUrl, /^ws/);
    assert.match(made.monitor.controlUrl, /^http/);
    has(whole(await calls.get({ id: made.id })), asked);
    assert.equal(whole(await calls.update({ id: made.id, name: "Another" })).name, "Another");
    const other = await calls.create({ assistant: { firstMessage: "Yo." }, transport });
    assert.equal(other.assistant.firstMessage, "Yo.");
    assert.deepEqual(ids(await calls.list({ assistantId })), [made.id]);
    assert.deepEqual(ids(await calls.list({ id: other.id })), [other.id]);
    assert.deepEqual(ids(await calls.list({ limit: 2 })), [other.id, made.id]);
    assert.deepEqual(await calls.list({ createdAtLt: LONG_AGO }), []);
    assert.ok(ids(await calls.list({ createdAtGe: LONG_AGO, limit: 1000 })).includes(made.id));
    for (const { id } of [made, other]) {
      assert.equal((await calls.delete({ id })).id, id);
      await refused(() => calls.get({ id }), 404);
    }
    await assistants.delete({ id: assistantId });
  },

  async squads({ squads, assistants }) {
    const { id: assistantId } = await assistants.create({ name: "Dora" });
    const members = [{ assistantId }, { assistant: { name: "Emil", firstMessage: "Emil here." } }];
    await kept(squads, { name: "Both", members }, { members: [{ assistantId }], name: "One" });
    await assistants.delete({ id: assistantId });
  },

  async files({ files }, { key }) {
    const text = "Opening hours: nine to five.\n";
    const file = new File([text], "hours.txt", { type: "text/plain" });
    const made = whole(await files.create({ file }));
    has(made, { name: "hours.txt", mimetype: "text/plain", bytes: text.length });
    const got = await fetch(made.url, { headers: { Authorization: `Bearer ${key}` } });
    assert.equal(await got.text(), text);
    assert.equal(whole(await files.get({ id: made.id })).name, "hours.txt");
    assert.equal(whole(await files.update({ id: made.id, name: "times.txt" })).name, "times.txt");
    assert.ok(ids(await files.list({})).includes(made.id));
    assert.equal((await files.delete({ id: made.id })).id, made.id);
    await gone(files, made.id);
  },

  async sessions({ sessions, assistants }) {
    const { id: assistantId } = await assistants.create({ name: "Fay" });
    const asked = { name: "S", assistantId, expirationSeconds: 600, customer: { number: "+15551234567" } };
    await kept(sessions, asked, { status: "completed", name: "T" });
    await assistants.delete({ id: assistantId });
  },

  async chats({ chats, sessions, assistants }) {
    const { id: assistantId } = await assistants.create({ name: "Gus" });
    const first = whole(await chats.create({ input: "Hello there.", assistantId }));
    assert.equal(first.output[0].role, "assistant");
    assert.ok(first.output[0].content);
    const input = [{ role: "user", content: "And now?" }];
    const second = whole(await chats.create({ input, previousChatId: first.id }));
    assert.deepEqual((await chats.get({ id: second.id })).output, second.output);
    const page = await chats.list({ assistantId, limit: 10 });
    assert.deepEqual(new Set(ids(page.results)), new Set([first.id, second.id]));
    const answer = await chats.createResponse({ input: "Hello?", assistantId, stream: false });
    assert.deepEqual([answer.object, answer.status], ["response", "completed"]);
    assert.ok(answer.output[0].content[0].text);
    const session = await sessions.create({ assistantId });
    assert.equal((await chats.create({ input: "I am Ada.", sessionId: session.id })).sessionId, session.id);
    const roles = (await sessions.get({ id: session.id })).messages.map(({ role }) => role);
    assert.deepEqual(roles.slice(-2), ["user", "assistant"]);
    for (const { id } of [first, second]) assert.equal((await chats.delete({ id })).id, id);
    await gone(chats, first.id);
  },

  async lists({ tools, sessions }) {
    const made = [];
    for (let n = 0; n < 5; n++) made.push(await tools.create({ type: "endCall" }));
    const newest = ids(made).reverse();
    const createdAt = made[2].createdAt;
    assert.deepEqual(ids(await tools.list({ limit: 3 })), newest.slice(0, 3));
    assert.deepEqual(ids(await tools.list({ createdAtGt: createdAt })), newest.slice(0, 2));
    assert.deepEqual(ids(await tools.list({ createdAtGe: createdAt })), newest.slice(0, 3));
    assert.deepEqual(ids(await tools.list({ createdAtLe: createdAt, limit: 1 })), [made[2].id]);
    const changed = await tools.update({ id: made[0].id, body: { type: "endCall", messages: [] } });
    assert.deepEqual(ids(await tools.list({ updatedAtGe: changed.updatedAt })), [made[0].id]);
    const one = [];
    for (let n = 0; n < 5; n++) one.push(await sessions.create({ name: `page ${n}`, assistant: { name: "P" } }));
    const found = [];
    for (const page of [1, 2, 3]) {
      const idAny = ids(one).join(",");
      const { results, metadata } = await sessions.list({ idAny, limit: 2, page, sortOrder: "ASC", sortBy: "createdAt" });
      assert.deepEqual([metadata.totalItems, metadata.currentPage], [5, page]);
      found.push(...ids(results));
    }
    assert.deepEqual(found, ids(one));
    for (const { id } of made) await tools.delete({ id });
    for (const { id } of one) await sessions.delete({ id });
  },

  async errors({ assistants, calls, campaigns }, { url }) {
    const stranger = new VapiClient({ token: "no-key-of-theirs", baseUrl: url });
    await refused(() => stranger.assistants.list(), 401);
    const nowhere = await refused(() => assistants.get({ id: NOWHERE }), 404);
    assert.equal(nowhere.body.error, "Not Found");
    const bad = await refused(() => assistants.create({ name: "x".repeat(41), maxDurationSeconds: 1 }), 400);
    assert.equal(bad.body.error, "Bad Request");
    assert.ok(bad.body.message.includes("name must be shorter than or equal to 40 characters"), bad.message);
    assert.ok(bad.body.message.includes("maxDurationSeconds must not be less than 10"), bad.message);
    const unknown = await refused(() => assistants.create({ name: "A", customerer: 1 }), 400);
    assert.deepEqual(unknown.body.message, ["property customerer should not exist"]);
    const transport = { provider: "vapi.websocket" };
    await assert.rejects(() => calls.create({ assistantId: NOWHERE, transport }), VapiError);
    // features of Vapi's cloud alone; the SDK would retry a 501
    await refused(() => campaigns.campaignControllerFindAll({}, { maxRetries: 0 }), 501);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { check, url, key } = JSON.parse(line);
  const client = new VapiClient({ token: key, baseUrl: url, timeoutInSeconds: 30 });
  let answer = { ok: true };
  try {
    await checks[check](client, { url, key });
  } catch (error) {
    answer = { ok: false, why: String(error?.stack ?? error) };
  }
  console.log(JSON.stringify(answer));
}
