// Adds buttons that copy addresses and a filter for long lists of feeds, and reloads a preview when its file is saved.
"use strict";

for (const code of document.querySelectorAll(".formats code")) {
  const button = document.createElement("button");
  const name = code.closest("li").querySelector("h3").textContent.trim();
  const label = document.createElement("span");
  button.type = "button";
  label.textContent = "Copy";
  button.append(label);
  button.setAttribute("aria-label", `Copy the address: ${name}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      label.textContent = "Copied";
    } catch {  // not allowed, for example without https: select the address, so that the user can press Ctrl-C
      getSelection().selectAllChildren(code);
      label.textContent = "Selected";
    }
    said.textContent = `${label.textContent}: ${code.textContent}`;
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  });
  code.closest("li").append(button);
}

const said = document.createElement("p");  // read out by screen readers
said.className = "skip";
said.setAttribute("role", "status");
document.body.append(said);

const feeds = document.querySelector(".feeds");
const names = feeds ? [...feeds.querySelectorAll(".names li")] : [];
if (names.length > 20) {
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = names.map((item) => plain(item.firstElementChild.textContent));
  const box = document.createElement("p");
  const input = document.createElement("input");
  const label = document.createElement("label");
  box.className = "filter";
  input.type = "search";
  input.id = "filter";
  label.htmlFor = "filter";
  label.textContent = "Find a feed";
  input.addEventListener("input", () => {
    const wanted = plain(input.value.trim());
    let found = 0;
    names.forEach((item, number) => {
      item.hidden = !texts[number].includes(wanted);
      found += item.hidden ? 0 : 1;
    });
    for (const list of feeds.querySelectorAll(".names")) {
      list.hidden = list.previousElementSibling.hidden = !list.querySelector("li:not([hidden])");
    }
    said.textContent = wanted ? `${found} feeds` : "";
    none.hidden = found > 0;
  });
  const none = document.createElement("span");
  none.textContent = "No name of a feed contains this text.";
  none.hidden = true;
  box.append(label, input, none);
  feeds.querySelector("h2").after(box);
}

const preview = document.querySelector("[data-preview]");
if (preview) {
  setInterval(async () => {
    try {
      const answer = await fetch(preview.dataset.token, { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== preview.dataset.preview) {
        location.reload();
      }
    } catch {  // the server is not running: try again later
    }
  }, 1000);
}
