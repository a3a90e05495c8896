// One session of a stream, over as many sockets as it takes. docs/streaming.md says what the frames mean.

// Behind other codes there is nothing to come back to.
const COME_AGAIN = new Set([1001, 1005, 1006, 1011, 1012, 1013]);
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5000;

export class StreamSession {
  // `listener` has `changed()`; `begun()` for each session, the first and those in place of a lost one; `heard(frame,
  // work)` for each answer; `logged(direction, frame)`; and, as promises that are never rejected, `token()` and
  // `freshToken()`, which are null when there is none now.
  constructor(stream, listener) {
    this.stream = stream;
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/${stream}/stream`;
    this.listener = listener;
    this.state = "closed";
    this.resumeToken = null;
    this.id = null;
    this.model = null;
    this.window = 0; // how many frames may be under way
    this.newest = 0; // the highest seq given
    this.answered = 0; // the highest seq answered
    this.unanswered = new Map(); // by seq: what is asked
    this.underWay = new Set(); // which of it was sent over this socket
    this.failures = 0;
    this.restMs = 0; // for how long the server wants to be left alone
    this.timer = null; // when the pause is over
    this.isWanted = false;
  }

  get credits() {
    return this.window - this.underWay.size;
  }

  // Begin, or go on. The state is another one before the token is there: whoever asks twice gets one socket.
  async connect() {
    this.isWanted = true;
    this.#set("connecting");
    const token = await this.listener.token();
    if (token) this.#open(token);
    else this.#set("closed");
  }

  #open(token) {
    this.#stopWaiting();
    this.#set("connecting");
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => this.greet(token);
    socket.onmessage = (message) => this.#hear(JSON.parse(message.data));
    socket.onclose = (event) => this.#close(event);
  }

  // A browser cannot send the Authorization header with a WebSocket: the token is in the first frame.
  greet(token) {
    this.token = token;
    this.#say({ type: "hello", token, ...(this.resumeToken && { resume: this.resumeToken }) });
  }

  // Drop the socket; the session stays, and can be resumed.
  disconnect() {
    this.isWanted = false;
    if (this.state === "away") this.#end();
    else this.socket.close(1000);
  }

  // End the session.
  bye() {
    this.isWanted = false;
    this.resumeToken = null;
    this.#say({ type: "bye" });
  }

  // Send work, the members of a frame without its seq, as soon as there is a credit.
  ask(work) {
    this.newest += 1;
    this.unanswered.set(this.newest, work);
    this.#sendAll();
  }

  #say(frame) {
    this.listener.logged("sent", frame.token ? { ...frame, token: "…" } : frame);
    this.socket.send(JSON.stringify(frame));
  }

  // The lowest number first: a gap would be refused. After trouble it goes alone until it is answered, because later
  // numbers are refused until it was taken.
  #sendAll() {
    if (this.state !== "ready" || this.timer) return;
    const most = this.failures ? 1 : this.window;
    for (const [seq, work] of this.unanswered) {
      if (this.underWay.size >= most) break;
      if (this.underWay.has(seq)) continue;
      this.underWay.add(seq);
      this.#say({ ...work, seq });
    }
    this.listener.changed();
  }

  #hear(frame) {
    this.listener.logged("received", frame);
    if (frame.retryable && !this.timer) this.restMs = 1000 * (frame.retry_after_s ?? 0);
    if (frame.type === "ready") this.#begin(frame);
    else if (frame.type === "ping") this.#say({ type: "pong" });
    else if (frame.code === "token_expired") this.#renew();
    else if (frame.code === "session_not_found") this.#lose();
    else if (frame.seq !== undefined) this.#take(frame);
  }

  #begin(frame) {
    const isAnother = frame.session !== this.id;
    if (isAnother) this.#renumber(frame.last_seq);
    this.id = frame.session;
    this.resumeToken = frame.resume;
    this.model = frame.model;
    // A later `ready` answers a fresh token, and says what is left of the window.
    if (!this.window) this.window = frame.credits;
    if (!this.unanswered.size) this.failures = 0;
    this.#stopWaiting();
    this.#set("ready");
    if (isAnother) this.listener.begun();
    this.#sendAll();
  }

  // Another session knows nothing of what came before. Payments are sent once more, and count once all the same: they
  // have ids. A text begins anew.
  #renumber(lastSeq) {
    const works = this.stream === "fraud" ? [...this.unanswered.values()] : [];
    this.unanswered = new Map(works.map((work, place) => [lastSeq + 1 + place, work]));
    this.newest = lastSeq + works.length;
    this.answered = lastSeq;
  }

  async #renew() {
    this.#set("token expired");
    const token = await this.listener.freshToken();
    if (this.state !== "token expired") return;
    if (token) this.greet(token);
    else this.#later(() => this.#renew());
  }

  #lose() {
    this.#note("The session is gone; this socket begins another one.");
    this.resumeToken = null;
    this.greet(this.token);
  }

  #take(frame) {
    const { seq, retryable } = frame;
    const work = this.unanswered.get(seq);
    this.underWay.delete(seq);
    if (retryable) {
      if (!this.timer) this.#later(() => this.#sendAll());
    } else if (work) {
      if (!this.timer) this.failures = 0;
      this.unanswered.delete(seq);
      this.answered = Math.max(this.answered, seq);
      this.listener.heard(frame, work);
      this.#sendAll();
    }
    this.listener.changed();
  }

  #close({ code, reason }) {
    this.#note(`closed with ${code}${reason && `: ${reason}`}`);
    this.underWay.clear();
    this.window = 0;
    if (this.isWanted && COME_AGAIN.has(code)) this.#stayAway();
    else this.#end();
  }

  #end() {
    this.#stopWaiting();
    this.#set("closed");
  }

  #stayAway() {
    this.#set("away");
    this.#later(() => this.#comeAgain());
  }

  async #comeAgain() {
    const token = await this.listener.token();
    if (this.state !== "away") return;
    if (token) this.#open(token);
    else this.#stayAway();
  }

  // One thing waits at a time: frames, a token, or the next socket. Each pause is longer than the last, and none is like
  // another client's.
  #later(act) {
    this.#stopWaiting();
    const longest = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
    const pauseMs = this.restMs + longest * (0.5 + Math.random() / 2);
    this.failures += 1;
    this.restMs = 0;
    this.timer = setTimeout(() => {
      this.timer = null;
      act();
    }, pauseMs);
  }

  #stopWaiting() {
    clearTimeout(this.timer);
    this.timer = null;
  }

  #note(text) {
    this.listener.logged("note", text);
  }

  #set(state) {
    this.state = state;
    this.listener.changed();
  }
}
