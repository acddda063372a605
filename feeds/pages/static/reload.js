// Reloads a page of a preview when the server has another version of it.
"use strict";

let shown = null;  // the ETag of the version that the browser shows; "" for a page that reports an error

async function check(cache) {
  try {
    const answer = await fetch(location.href, { method: cache === "no-cache" ? "HEAD" : "GET", cache });
    const version = answer.ok ? answer.headers.get("ETag") : "";
    if (version && shown !== null && version !== shown) {
      location.reload();
    }
    shown ??= version;
  } catch {  // the server is not running: try again later
  }
}

check("force-cache").then(() => setInterval(() => check("no-cache"), 1000));
document.addEventListener("visibilitychange", () => {  // browsers delay the timers of hidden tabs by up to a minute
  if (!document.hidden) {
    check("no-cache");
  }
});
