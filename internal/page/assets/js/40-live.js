// A page follows what it shows. <body data-live="quote:ID customer"> names the topics, <body data-events="/live?page=…"> an
// address from which the server sends the page as Server-Sent Events whenever it has changed. When one rings, the page is
// fetched again, and its parts with data-live-region take the place of the old ones: what is typed, the focus and the
// place on the page stay. Without a connection the page says so, since what it shows may be old.

const topics = document.body.dataset.live?.split(" ") ?? [];
const lost = document.querySelector("[data-lost]");
const announce = document.querySelector("[data-announce]");

// refresh fetches the page and swaps its regions. A region in which somebody types is left alone.
async function refresh(why) {
  const text = await fetchPart(location.href);
  if (text !== null) show(text, why);
}

function show(text, why) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  let changed = false;
  for (const region of document.querySelectorAll("[data-live-region]")) {
    const next = fresh.getElementById(region.id);
    if (!next || next.innerHTML.replace(/value="[A-Z2-7]{26}"/g, "") === region.innerHTML.replace(/value="[A-Z2-7]{26}"/g, "")) continue;
    const typing = document.activeElement;
    if (region.contains(typing) && typing.matches("input, textarea, select")) {
      announce.textContent = "This page has changed. It is updated when you leave the field.";
      typing.addEventListener("blur", () => refresh(why), { once: true });
      continue;
    }
    const open = [...region.querySelectorAll("details")].map((details) => details.open);
    const path = typing && region.contains(typing) ? typing.id || typing.getAttribute("href") : null;
    region.innerHTML = next.innerHTML;
    region.querySelectorAll("details").forEach((details, i) => (details.open = open[i] ?? details.open));
    if (path) (document.getElementById(path) ?? region.querySelector(`[href="${CSS.escape(path)}"]`))?.focus();
    changed = true;
  }
  if (changed) {
    document.title = fresh.title;
    announce.textContent = why + " " + (document.querySelector("h1")?.textContent ?? "");
  }
}

const ring = debounce(50, () => refresh("Updated:"));
let attempts = 0;
let leaving = false;
addEventListener("pagehide", () => (leaving = true));

async function follow() {
  const answer = await fetch("/app/live/ticket", { method: "POST" }).catch(() => null);
  if (answer?.status === 401) return say("You are signed out. Sign in again to see what is new.");
  if (!answer?.ok) return again();
  const socket = new WebSocket((await answer.json()).url);
  let ping;
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ action: "follow", topics }));
    ping = setInterval(() => socket.send('{"action":"ping"}'), 8 * 60 * 1000);
  });
  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.following) {
      const wasLost = attempts > 0;
      attempts = 0;
      say("");
      document.documentElement.dataset.following = message.following.join(" ");
      // What happened between the page and the connection is not told.
      refresh(wasLost ? "Connected again:" : "Updated:");
    } else if (message.quoteId) ring();
  });
  socket.addEventListener("close", () => {
    clearInterval(ping);
    delete document.documentElement.dataset.following;
    if (!leaving) again();
  });
}

function again() {
  attempts++;
  if (attempts > 1) say("The connection is lost. What you see may be old; we are trying to reconnect.");
  setTimeout(follow, Math.random() * Math.min(30000, 500 * 2 ** attempts));
}

function say(text) {
  lost.hidden = !text;
  lost.textContent = text;
  document.querySelectorAll("[data-live-region]").forEach((region) => region.classList.toggle("stale", text !== ""));
}

addEventListener("offline", () => topics.length && say("You are offline. What you see may be old."));
addEventListener("online", () => topics.length && refresh("Connected again:").then(() => say("")));
if (topics.length) follow();

// A page that the server sends can be frozen, to be read in peace.
const events = document.body.dataset.events;
const freeze = document.querySelector("[data-freeze]");
let source;

function stream() {
  source = new EventSource(events);
  source.addEventListener("open", () => {
    say("");
    document.documentElement.dataset.following = "page";
  });
  source.addEventListener("page", (event) => show(JSON.parse(event.data), "Updated:"));
  source.addEventListener("gone", () => source.close());
  source.addEventListener("error", () => {
    delete document.documentElement.dataset.following;
    if (!leaving) say("The connection is lost. What you see may be old; we are trying to reconnect.");
  });
}

freeze?.addEventListener("click", () => {
  const frozen = freeze.getAttribute("aria-pressed") !== "true";
  freeze.setAttribute("aria-pressed", String(frozen));
  freeze.textContent = frozen ? "Go on" : "Freeze";
  if (frozen) source.close();
  else stream();
});
if (events) {
  if (freeze) freeze.hidden = false;
  stream();
}
