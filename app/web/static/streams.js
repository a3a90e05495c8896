// The page /docs/streams: forms and tables around a StreamSession. A module, so that the page's policy can forbid
// inline code.
import { randomPayment, renewed } from "./payments.js";
import { StreamSession } from "./stream_session.js";

const MOST_FRAMES = 200;
const MOST_SCORES = 200;
const LONGEST_TOKEN_MS = 10_000;

const $ = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

let session = null;
let tokenExpiresAt = Infinity;

// Token

// A token, or null after saying why there is none.
async function fetchToken() {
  try {
    const body = await askForToken();
    noteToken(`A token for ${Math.round(body.expires_in / 60)} minutes, with scope ${body.scope}.`);
    $("token").value = body.access_token;
    tokenExpiresAt = Date.now() + 1000 * body.expires_in;
    return body.access_token;
  } catch (error) {
    noteToken(`There is no token: ${error.message}`);
    return null;
  }
}

async function askForToken() {
  const form = { grant_type: "client_credentials", client_id: $("client-id").value, client_secret: $("client-secret").value };
  const signal = AbortSignal.timeout(LONGEST_TOKEN_MS);
  const answer = await fetch("/auth/token", { method: "POST", body: new URLSearchParams(form), signal });
  if (answer.ok) return answer.json();

  // A proxy before Galley may answer with a page.
  const { detail } = await answer.json().catch(() => ({}));
  throw new Error(detail ?? `the answer was ${answer.status}.`);
}

function noteToken(text) {
  $("token-note").textContent = text;
}

async function currentToken() {
  const isOld = !$("token").value || Date.now() > tokenExpiresAt;
  if (isOld && hasCredentials()) return fetchToken();

  if (!$("token").value) noteToken("Get a token first, or paste one.");
  return $("token").value || null;
}

async function freshToken() {
  if (hasCredentials()) return fetchToken();

  noteToken("The token has expired: get a fresh one, or paste it.");
  return null;
}

function hasCredentials() {
  return $("client-id").value && $("client-secret").value;
}

$("credentials").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = await fetchToken();
  if (token && session?.state === "token expired") session.greet(token);
});

$("token").addEventListener("change", () => {
  tokenExpiresAt = Infinity; // Galley knows.
  if (session?.state === "token expired") session.greet($("token").value);
});

// Session

const listener = {
  changed: show,
  begun: () => {
    sent = "";
    if (session.stream === "text") sendWords();
  },
  heard: (frame, work) => (session.stream === "fraud" ? addScore(frame, work.event) : showPrediction(frame)),
  logged: addToLog,
  token: currentToken,
  freshToken,
};

function show() {
  const isOpen = session.state !== "closed";
  const isReady = session.state === "ready";
  $("state").textContent = session.state;
  $("session").textContent = session.id ?? "–";
  $("model").textContent = session.model ? `${session.model.name} ${session.model.version}` : "–";
  $("last-seq").textContent = session.answered;
  $("under-way").textContent = session.underWay.size;
  $("credits").textContent = isReady ? session.credits : "–";
  $("connect").disabled = isOpen;
  $("stream-choice").disabled = isOpen;
  $("disconnect").disabled = !isReady && session.state !== "away";
  $("bye").disabled = !isReady;
  $("resume").disabled = isOpen || !session.resumeToken;
}

function chosenStream() {
  return document.querySelector("input[name=stream]:checked").value;
}

$("stream-choice").addEventListener("change", () => {
  $("fraud").hidden = chosenStream() !== "fraud";
  $("text").hidden = chosenStream() !== "text";
});

$("connection").addEventListener("submit", (event) => {
  event.preventDefault();
  session = new StreamSession(chosenStream(), listener);
  session.connect();
});

$("disconnect").addEventListener("click", () => session.disconnect());
$("resume").addEventListener("click", () => session.connect());
$("bye").addEventListener("click", () => session.bye());

function isReadyFor(stream) {
  return session?.stream === stream && session.state !== "closed";
}

// Payments

function sendPayment(payment) {
  session.ask({ type: "event", event: payment });
}

function offerPayment(payment) {
  $("event").value = JSON.stringify(payment, null, 2);
}

$("payment").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isReadyFor("fraud")) {
    $("event-note").textContent = "Connect first.";
    return;
  }

  try {
    const payment = JSON.parse($("event").value);
    $("event-note").textContent = "";
    sendPayment(payment);
    offerPayment(renewed(payment));
  } catch (error) {
    $("event-note").textContent = `This is no JSON: ${error.message}`;
  }
});

$("send-many").addEventListener("click", () => {
  $("event-note").textContent = isReadyFor("fraud") ? "" : "Connect first.";
  if (isReadyFor("fraud")) Array.from({ length: 100 }, randomPayment).forEach(sendPayment);
});

function addScore(frame, payment) {
  const row = document.createElement("tr");
  const isError = frame.type === "error";
  const reasons = (frame.reasons ?? []).map(({ feature, effect }) => `${feature} +${effect.toFixed(2)}`);
  const cells = [
    frame.seq,
    payment?.account_id ?? "–",
    payment?.amount ?? "–",
    isError ? "–" : percent(frame.score),
    isError ? frame.code : frame.decision,
    isError ? JSON.stringify(frame.errors ?? frame.detail) : reasons.join(", "),
  ];
  for (const text of cells) row.insertCell().textContent = text;
  row.cells[4].className = isError ? "error" : frame.decision;
  prepend($("scores"), row, MOST_SCORES);
}

// Text

let sent = "";
const ledWith = new Map();

// Send the words that have ended since the last time. Of a text that was changed in the middle all is sent anew.
function sendWords({ isEnd = false } = {}) {
  if (!isReadyFor("text")) return;

  const written = $("words").value;
  if (!written.startsWith(sent)) {
    session.ask({ type: "text", text: "", end: true });
    sent = "";
  }
  const ended = isEnd ? written : written.slice(0, written.search(/\S*$/));
  if (ended.length > sent.length || isEnd) {
    const rest = ended.slice(sent.length);
    const pieces = rest.match(/\s*\S+\s*/g) ?? [rest];
    pieces.forEach((text, place) => session.ask({ type: "text", text, end: isEnd && place === pieces.length - 1 }));
    sent = ended;
  }
}

$("words").addEventListener("input", () => sendWords());

$("writing").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isReadyFor("text")) {
    $("label").textContent = "Connect first.";
    return;
  }

  sendWords({ isEnd: true });
  sent = "";
  $("words").value = "";
  $("words").focus();
});

// A prediction names the label that leads, and no other: the bars of the others stay where they were when they led.
function showPrediction(frame) {
  if (frame.type === "error") {
    $("label").textContent = frame.detail;
    return;
  }

  $("label").textContent = `${frame.label}, ${percent(frame.score)}${frame.final ? ", for good" : ""}`;
  ledWith.set(frame.label, frame.score);
  $("bars").replaceChildren(...[...ledWith].map(([label, score]) => bar(label, score, label === frame.label)));
  if (frame.final) ledWith.clear();
}

function bar(label, score, isLeading) {
  const item = document.createElement("li");
  const meter = document.createElement("meter");
  meter.value = score;
  item.className = isLeading ? "leads" : "";
  item.append(label, meter, percent(score));
  return item;
}

// Frames

function addToLog(direction, frame) {
  const item = document.createElement("li");
  item.className = direction;
  item.textContent = typeof frame === "string" ? frame : JSON.stringify(frame);
  prepend($("log"), item, MOST_FRAMES);
}

function prepend(list, item, most) {
  list.prepend(item);
  while (list.childElementCount > most) list.lastElementChild.remove();
}

offerPayment(randomPayment());
// Until here its forms would have been sent to where they lead without a script.
document.querySelector("main").inert = false;
