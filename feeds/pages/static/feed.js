// Makes titles links and dates readable in an RSS or Atom document that a browser shows with feed.css.
"use strict";

{
  const XHTML = "http://www.w3.org/1999/xhtml";
  const root = document.documentElement;
  const isAtom = root.localName === "feed";
  const child = (parent, name) => [...parent.children].find((one) => one.nodeName === name);
  const create = (name, attributes, text = "") => {
    const element = document.createElementNS(XHTML, name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.textContent = text;
    return element;
  };
  const wrap = (element, name, attributes, text) => element.replaceChildren(create(name, attributes, text));

  const dateFormat = (language) => {
    const options = { dateStyle: "long", timeZone: "UTC" };
    try {
      return new Intl.DateTimeFormat(language, options);
    } catch {  // a RangeError: browsers do not accept private languages, such as x-klingon
      return new Intl.DateTimeFormat("en-GB", options);
    }
  };

  // without it, phones lay the document out for a wide screen
  document.currentScript.after(create("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }));
  const show = () => {
    const language = root.getAttribute("xml:lang") || root.querySelector("channel > language")?.textContent || "en";
    const format = dateFormat(language === "en" ? "en-GB" : language);
    for (const entry of root.querySelectorAll("item, entry")) {
      const title = child(entry, "title");
      const link = child(entry, "link");
      const url = (isAtom ? link?.getAttribute("href") : link?.textContent) ?? "";
      if (title && /^https?:/.test(url)) {
        wrap(title, "a", { href: url }, title.textContent);
      }
      const published = child(entry, isAtom ? "published" : "pubDate");
      const date = new Date(published?.textContent);
      if (!isNaN(date)) {
        const [, sign, hours, minutes] = /([+-])(\d\d):?(\d\d)$/.exec(published.textContent) ?? [0, "+", 0, 0];
        const offset = Number(`${sign}1`) * (60 * Number(hours) + Number(minutes)) * 60_000;
        const day = format.format(new Date(date.getTime() + offset));  // in the time zone of the site
        wrap(published, "time", { datetime: date.toISOString() }, day);
      }
      const description = child(entry, "description");
      if (description) {  // in RSS it is HTML
        const text = new DOMParser().parseFromString(description.textContent, "text/html").body.textContent;
        if (title) {
          description.textContent = text;
        } else if (/^https?:/.test(url)) {
          wrap(description, "a", { href: url }, text);
        }
      }
    }
  };
  addEventListener("DOMContentLoaded", show);  // the entries follow the script
}
