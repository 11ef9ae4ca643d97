// A new quote: the price follows what is entered, a VIN fills in the car, and what does not apply is not shown.

const wizard = document.querySelector("[data-wizard]");

// fetchPart gets a part of a page from this server, null when it cannot be had.
async function fetchPart(address, options) {
  try {
    const answer = await fetch(address, options);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null; // the connection is gone; the page still works by its buttons
  }
}

function debounce(ms, run) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(run, ms, ...args);
  };
}

// Sections with data-when="name=value" show while a field has that value.
function showWhatApplies() {
  for (const section of document.querySelectorAll("[data-when]")) {
    const [name, value] = section.dataset.when.split("=");
    const fields = [...document.getElementsByName(name)].filter((field) => field.type !== "hidden");
    const now = fields.map((field) => (field.matches("[type=radio], [type=checkbox]") ? (field.checked ? field.value : "") : field.value));
    section.hidden = !now.includes(value);
  }
}

if (wizard) {
  showWhatApplies();
  let latest = 0;
  const price = debounce(400, async () => {
    const mine = ++latest;
    const box = document.querySelector("[data-price]");
    box.classList.add("stale");
    const part = await fetchPart(wizard.dataset.wizard, { method: "POST", body: new URLSearchParams(new FormData(wizard)) });
    if (mine !== latest) return;
    box.classList.remove("stale");
    if (part !== null) box.innerHTML = part;
  });
  const decode = debounce(250, async (field) => {
    const car = field.closest("[data-vehicle]");
    const vin = field.value.replace(/[\s-]/g, "").toUpperCase();
    const box = car.querySelector("[data-decoded]");
    if (vin.length !== 17) return box.replaceChildren();
    const part = await fetchPart("/app/vehicles/" + encodeURIComponent(vin));
    if (part === null || field.value.replace(/[\s-]/g, "").toUpperCase() !== vin) return;
    box.innerHTML = part;
    const found = JSON.parse(box.querySelector("[data-prefill]")?.textContent ?? "{}");
    for (const [name, value] of Object.entries(found)) {
      const target = document.getElementById(`/vehicles/${car.dataset.vehicle}/${name}`);
      // What was typed stays; what an earlier VIN filled in goes.
      if (target && value && (!target.value || target.dataset.filled)) {
        target.value = value;
        target.dataset.filled = "yes";
      }
    }
    price();
  });
  wizard.addEventListener("input", (event) => {
    delete event.target.dataset.filled;
    showWhatApplies();
    if (event.target.name.endsWith("/vin")) decode(event.target);
    price();
  });
}
