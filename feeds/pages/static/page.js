// Adds features that need a script: buttons that copy addresses, a filter for long lists of feeds, keyboard access to
// wide tables and code; opens the subscribe panel for links to it; and reloads a preview when its file is saved.
"use strict";

const said = document.createElement("p");  // read out by screen readers
said.className = "skip";
said.setAttribute("role", "status");
document.body.append(said);

for (const code of document.querySelectorAll(".formats code")) {
  const texts = code.closest(".formats").dataset;
  const button = document.createElement("button");
  const label = document.createElement("span");
  button.type = "button";
  label.textContent = texts.copy;
  button.append(label);
  button.setAttribute("aria-label", `${texts.copyAddress}: ${code.closest("li").querySelector("h3").textContent.trim()}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      label.textContent = texts.copied;
    } catch {  // not allowed, for example without https: select the address, so that the user can press Ctrl-C
      getSelection().selectAllChildren(code);
      label.textContent = texts.selected;
    }
    said.textContent = `${label.textContent}: ${code.textContent}`;
    setTimeout(() => { label.textContent = texts.copy; }, 2000);
  });
  code.closest("li").append(button);
}

function openPanel() {
  const target = location.hash === "#subscribe" && document.getElementById("subscribe");
  if (target) {
    target.open = true;
  }
}
addEventListener("hashchange", openPanel);
openPanel();

const watch = new ResizeObserver((changes) => {  // also called once for each box at the beginning
  for (const { target } of changes) {
    if (target.scrollWidth > target.clientWidth) {  // only then is there something to scroll to
      target.tabIndex = 0;
    } else {
      target.removeAttribute("tabindex");
    }
  }
});
document.querySelectorAll("pre, .e-content table").forEach((box) => watch.observe(box));

const feeds = document.querySelector(".feeds");
const names = feeds ? [...feeds.querySelectorAll(".names li")] : [];
if (names.length > 20) {
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = names.map((item) => plain(item.firstElementChild.textContent));
  const groups = [...feeds.querySelectorAll(".group")].map((group) => [group, group.open]);
  const box = document.createElement("p");
  const input = document.createElement("input");
  const label = document.createElement("label");
  const none = document.createElement("span");
  box.className = "filter";
  input.type = "search";
  input.id = "filter";
  label.htmlFor = "filter";
  label.textContent = feeds.dataset.find;
  none.textContent = feeds.dataset.none;
  none.hidden = true;
  input.addEventListener("input", () => {
    const wanted = plain(input.value.trim());
    let found = 0;
    names.forEach((item, number) => {
      item.hidden = !texts[number].includes(wanted);
      found += item.hidden ? 0 : 1;
    });
    for (const [group, wasOpen] of groups) {
      group.hidden = !group.querySelector("li:not([hidden])");
      group.open = wanted ? true : wasOpen;
    }
    said.textContent = wanted ? String(found) : "";
    none.hidden = found > 0;
  });
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
