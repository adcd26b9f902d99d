// Draws what /live.json says, again and again. Everything that producers sent (names of signals) is put in as text.
"use strict";

const NARROW = 480; // px of a chart below which its labels are short
const EVERY = 2000; // ms between looks at the worker
const PATIENCE = 5000; // ms after which a worker that does not answer is gone
const STATES = [
  { sign: "−1", name: "−1 dissatisfied", kind: "dissatisfied" },
  { sign: "0", name: "0 indifferent", kind: "indifferent" },
  { sign: "+1", name: "+1 satisfied", kind: "satisfied" },
  { sign: "?", name: "unknown", kind: "unknown" }, // where data cannot tell
];
// What became of impressions and feedback, in the order of the table; those marked are listed even where none.
const OUTCOMES = [
  ["matched", "impressions closed with feedback", true],
  ["none", "impressions closed without", true],
  ["not_shown", "deferred impressions never shown"],
  ["late_impression", "impressions too late to be learned"],
  ["evicted", "impressions given up: too many pending"],
  ["duplicate_impression", "impressions repeated"],
  ["conflicting_impression", "impressions repeated with other content"],
  ["feedback_matched", "pieces of feedback joined", true],
  ["late", "feedback too late", true],
  ["too_early", "feedback from before its impression"],
  ["too_many", "feedback beyond what one impression takes"],
  ["orphan", "feedback without impression", true],
  ["misplaced_orphan", "feedback on a wrong partition"],
  ["duplicate_feedback", "feedback repeated"],
  ["feedback_not_shown", "feedback on what was never shown"],
  ["feedback_late_impression", "feedback on impressions that came too late"],
  ["feedback_evicted", "feedback of impressions given up"],
  ["feedback_poison", "feedback of impressions set aside since they raised"],
];

// Why a signal has no worth, or a vague one.
const DOUBTS = {
  by_definition: "by configuration: not learned",
  tells_action: "tells which action was shown: left out",
  no_definite_signal: "no definite signal has come yet",
  uninformative_feedback: "feedback tells nothing about what was shown",
  stands_for_none: "stands for “none”, which next to never comes",
  few: "too few yet",
  undetermined_signal: "what it means is not determined",
  no_indifference: "next to no “none” comes, so the interval is wide",
};

const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en");
const counted = (count, one) => `${whole.format(count)} ${one}${count === 1 ? "" : "s"}`;
const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`);
const signed = (x) => `${x < -0.005 ? "−" : x > 0.005 ? "+" : ""}${Math.abs(x).toFixed(2)}`;
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

const RANGES = [
  ["all", "all the time", Infinity],
  ["day", "the last day", 86400e3],
  ["hour", "the last hour", 3600e3],
  ["minutes", "the last five minutes", 300e3],
];
const COMPARED = { logged: "what was shown", random: "at random", constant: "one action to everybody:" };
const FEW = 50; // interactions of which shares say little

const query = new URLSearchParams(location.search);
let shown = null; // what the page shows, as it was received
let chosen = query.get("model"); // the model that was asked for
let range = RANGES.find(([name]) => name === query.get("range")) ?? RANGES[0];
const pointed = {}; // by figure: the moment that is pointed at, in ms

function put(id, text) {
  byId(id).textContent = text;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function ago(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s ago`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

// A chart over time: `curves` have points [ms, y], a label at their end, a short name, how values are written, and a band
// [ms, low, high] or none. What is pointed at is read out below.
function chart(figure, curves, bottom, top, ticks, label, height) {
  const width = figure.clientWidth;
  const longest = Math.max(...curves.map((curve) => curve.label.length));
  const [left, right, above, below] = [42, 8.5 * longest + 10, 8, 22];
  const last = Math.max(...curves.map((curve) => curve.points.at(-1)[0]));
  const within = (points) => points.filter(([ms]) => ms >= last - range[2]);
  const drawnCurves = curves.map((curve) => ({ ...curve, points: within(curve.points), band: curve.band && within(curve.band) }));
  const from = Math.min(...drawnCurves.flatMap((curve) => curve.points.map(([ms]) => ms)));
  const to = Math.max(last, from + 1);
  const x = (ms) => left + ((ms - from) / (to - from)) * (width - left - right);
  const y = (value) => above + ((top - value) / (top - bottom)) * (height - above - below);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  for (const [value, text] of ticks) {
    svg.append(drawn("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
    svg.append(drawn("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  svg.append(drawn("text", { x: left, y: height - 5 }, moment(from, to - from)));
  svg.append(drawn("text", { x: width - right, y: height - 5, "text-anchor": "end" }, moment(to, to - from)));
  const ends = apart(drawnCurves.map((curve) => y(curve.points.at(-1)[1])), 16, above + 6, height - below);
  drawnCurves.forEach((curve, i) => {
    const group = drawn("g", { class: curve.kind });
    for (const band of pieces(curve.band ?? [])) {
      const outline = [
        ...band.map(([ms, low]) => `${x(ms)},${y(low)}`),
        ...band.toReversed().map(([ms, , high]) => `${x(ms)},${y(high)}`),
      ];
      group.append(drawn("polygon", { class: "band", points: outline.join(" ") }));
    }
    for (const piece of pieces(curve.points)) {
      const points = piece.map(([ms, value]) => `${x(ms)},${y(value)}`).join(" ");
      group.append(drawn("polyline", { class: "curve", points }));
    }
    group.append(drawn("text", { x: width - right + 6, y: ends[i] + 4 }, curve.label));
    svg.append(group);
  });
  const cursor = drawn("line", { class: "cursor", y1: above, y2: height - below, visibility: "hidden" });
  const readout = element("p", { class: "readout" });
  svg.append(cursor);
  const point = () => {
    const ms = pointed[figure.id];
    cursor.setAttribute("visibility", ms === undefined ? "hidden" : "visible");
    if (ms === undefined) return readout.replaceChildren();
    const near = (points) => points.reduce((a, b) => (Math.abs(b[0] - ms) < Math.abs(a[0] - ms) ? b : a));
    const [at] = near(drawnCurves[0].points);
    cursor.setAttribute("x1", x(at));
    cursor.setAttribute("x2", x(at));
    readout.replaceChildren(`${moment(at, to - from)}: ` + drawnCurves.map(({ name, points, write, band }) =>
      `${name} ${write(near(points)[1])}` + (band ? ` (${near(band).slice(1).map(write).join(" to ")})` : "")).join(", "));
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const share = (((event.clientX - box.left) / box.width) * width - left) / (width - left - right);
    pointed[figure.id] = from + Math.min(1, Math.max(0, share)) * (to - from);
    point();
  });
  svg.addEventListener("pointerleave", () => {
    delete pointed[figure.id];
    point();
  });
  figure.replaceChildren(svg, readout);
  point();
}

// What lies between gaps, in which no worker was there to look: they are no lines.
function pieces(points) {
  const gaps = points.slice(1).map(([ms], i) => ms - points[i][0]).sort((a, b) => a - b);
  const most = Math.max(10 * (gaps[Math.floor(gaps.length / 2)] ?? 0), 30e3);
  const found = [];
  points.forEach((point, i) => {
    if (i === 0 || point[0] - points[i - 1][0] > most) found.push([]);
    found.at(-1).push(point);
  });
  return found;
}

// A moment on a chart that is so many ms wide.
function moment(ms, wide) {
  return wide < 86400e3 ? clock(ms)
    : new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

// Move positions so that neighbours are at least `gap` apart and all lie within bounds.
function apart(positions, gap, first, last) {
  const order = positions.map((_, i) => i).sort((a, b) => positions[a] - positions[b]);
  const placed = [];
  order.forEach((i, rank) => {
    placed[i] = Math.max(positions[i], first, rank ? placed[order[rank - 1]] + gap : first);
  });
  order.toReversed().forEach((i, rank, reversed) => {
    placed[i] = Math.min(placed[i], rank ? placed[reversed[rank - 1]] - gap : last);
  });
  return placed;
}

// What there is to say while nothing has been learned.
function nothingYet(live) {
  const { model } = live;
  if (model.policy_version !== null) return "Nothing has been learned since this worker started; its policy goes on from before.";
  return "Nothing has been learned yet. " + (live.pending
    ? `${counted(live.pending, "impression")} ${live.pending === 1 ? "waits" : "wait"} for feedback: each is learned once wait and grace are over, ` +
      `${whole.format(live.window)} s after it was shown.`
    : "No impression waits for feedback.");
}

function drawRates(live) {
  const { model, at } = live;
  const figure = byId("rates");
  const past = model.rates ? [...model.past, { at, rates: model.rates }] : model.past;
  byId("few").hidden = model.learned >= FEW || !past.length;
  put("few", model.rates
    ? `Of ${counted(model.learned, "interaction")} since this worker started: shares say little yet.`
    : nothingYet(live));
  if (!past.length) return figure.replaceChildren(nothingYet(live));
  const now = past.at(-1).rates;
  const narrow = figure.clientWidth < NARROW;
  const curves = STATES.map(({ sign, name, kind }, i) => ({
    kind,
    name: kind === "unknown" ? name : sign,
    write: percent,
    label: `${narrow ? sign : name} ${percent(now[i])}`,
    points: past.map((point) => [point.at, point.rates[i]]),
  })).reverse();
  const label = `Shares ${model.rates ? "now" : "of before"}: ` +
    STATES.map(({ name }, i) => `${name} ${percent(now[i])}`).join(", ");
  chart(figure, curves, 0, 1, [[0, "0%"], [0.5, "50%"], [1, "100%"]], label, 220);
}

function drawValue(model, at) {
  const figure = byId("values");
  const now = model.value;
  put("value", now ? `${signed(now.value)} (${signed(now.lower)} to ${signed(now.upper)})` : "not known yet");
  const known = model.past.filter((point) => point.value).concat(now ? [{ at, value: now }] : []);
  if (!known.length) return figure.replaceChildren();
  const curve = {
    kind: "value",
    name: "policy",
    write: signed,
    label: signed(known.at(-1).value.value),
    points: known.map((point) => [point.at, point.value.value]),
    band: known.map((point) => [point.at, point.value.lower, point.value.upper]),
  };
  chart(figure, [curve], -1, 1, [[-1, "−1"], [0, "0"], [1, "+1"]], `Estimated value over time, last ${curve.label}`, 130);
}

function drawSignals(model) {
  const sum = (states) => states.reduce((a, b) => a + b, 0);
  const all = sum(model.signals.map((signal) => sum(signal.states)));
  const rows = model.signals.map(({ name, states }) => {
    const total = sum(states) || 1;
    const most = states.indexOf(Math.max(...states));
    const cells = states.map((count, i) =>
      element("td", { class: i === most ? "number state most" : "number state" }, percent(count / total)));
    const explained = name === "none" ? [" ", element("small", {}, "no feedback came")] : [];
    return element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, name), ...explained),
      element("td", { class: "number" }, percent(sum(states) / (all || 1))), ...cells, element("td", {}, mostly(states, "name"), shares(states)));
  });
  byId("signals").tBodies[0].replaceChildren(...rows);
  byId("further").hidden = !model.further_signals;
  put("further", `and ${whole.format(model.further_signals)} rarer signals`);
}

// A bar of the shares of the states, each with its own texture.
function shares(states) {
  const total = states.reduce((a, b) => a + b, 0) || 1;
  const bar = element("div", { class: "bar" });
  STATES.forEach(({ kind }, i) => {
    const part = element("span", { class: kind });
    part.style.width = `${(100 * states[i]) / total}%`;
    bar.append(part);
  });
  return bar;
}

// The state that something was mostly taken for, and how often.
function mostly(states, name) {
  const total = states.reduce((a, b) => a + b, 0);
  const most = states.indexOf(Math.max(...states));
  return `${STATES[most][name]} ${percent(states[most] / (total || 1))}`;
}

// A row of heads; those of numbers stand above them.
function head(names, numbers = []) {
  return element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)),
    ...numbers.map((name) => element("th", { scope: "col", class: "number" }, name)));
}

const named = (text) => element("bdi", {}, text);

function drawSegments(model) {
  const table = model.by_segment;
  byId("segments").hidden = !table;
  if (!table) return;
  put("feature", table.feature);
  byId("segment-signals").tHead.replaceChildren(head(["Signal", ...table.segments.map(named)]));
  byId("segment-signals").tBodies[0].replaceChildren(...table.signals.map((signal, i) =>
    element("tr", {}, element("th", { scope: "row" }, named(signal)), ...table.counts[i].map((states) =>
      states.some((count) => count >= 0.5)
        ? element("td", {}, mostly(states, "sign"), shares(states))
        : element("td", {}, "–")))));
}

function drawDiffering(model) {
  byId("differ").hidden = !model.differing.length;
  byId("advice").hidden = model.by_segment !== null;
  put("section", model.name);
  byId("differing").replaceChildren(...model.differing.map(({ signal, feature, values }) => {
    const groups = values.map((count, i) => [count, STATES[i].name]).filter(([count]) => count)
      .sort(([a], [b]) => b - a).map(([count, name]) => `${name} for ${whole.format(count)}`);
    return element("li", {}, element("strong", {}, named(signal)), " depends on ", named(feature),
      `: ${groups.join(", ")} of ${whole.format(values.reduce((a, b) => a + b, 0))} that were looked at`);
  }));
}

function drawShown(model) {
  const seen = model.shown;
  byId("showing").hidden = !seen?.actions.length;
  if (!seen) return;
  const segments = model.by_segment ? seen.segments : [];
  byId("shown").tHead.replaceChildren(head(["Action", "Taken for"], ["All", ...segments.map(named)]));
  byId("shown").tBodies[0].replaceChildren(...seen.actions.map(({ action, share, by_segment, states }) =>
    element("tr", {}, element("th", { scope: "row" }, named(action)),
      element("td", {}, mostly(states, "sign"), shares(states)), element("td", { class: "number" }, percent(share)),
      ...segments.map((_, i) => element("td", { class: "number" }, percent(by_segment[i]))))));
  byId("shown-further").hidden = seen.further < 0.005;
  put("shown-further", `and ${percent(seen.further)} other actions`);
}

function drawCompared(model) {
  const policy = model.value ? [{ name: "policy", ...model.value }] : [];
  const place = (x) => 50 * (1 + Math.min(1, Math.max(-1, x)));
  byId("compared").tBodies[0].replaceChildren(...[...policy, ...model.compared].map(({ name, action, value, lower, upper }) => {
    const [extent, mark] = [element("span"), element("i")];
    extent.style.left = `${place(lower)}%`;
    extent.style.width = `${place(upper) - place(lower)}%`;
    mark.style.left = `${place(value)}%`;
    const words = name === "policy" ? "what the policy ranks first" : COMPARED[name];
    return element("tr", {}, element("th", { scope: "row" }, words, ...(action ? [" ", named(action)] : [])),
      element("td", { class: "number" }, signed(value), " ", element("small", {}, `${signed(lower)} to ${signed(upper)}`)),
      element("td", { class: "extent", "aria-hidden": "true" }, element("div", { class: "track" }, extent, mark)));
  }));
  byId("compared").hidden = !policy.length && !model.compared.length;
}

const rate = (x) => (x >= 10 || x === 0 ? whole.format(Math.round(x)) : x.toFixed(x >= 1 ? 1 : 2));

function drawFlow(flow) {
  if (!flow.length) return;
  const narrow = byId("flow").clientWidth < NARROW;
  const curves = ["impressions", "feedback", "learned"].map((kind) => ({
    kind,
    name: kind,
    write: (x) => `${rate(x)}/s`,
    label: narrow ? `${kind.slice(0, 5)}. ${rate(flow.at(-1)[kind])}` : `${kind} ${rate(flow.at(-1)[kind])}/s`,
    points: flow.map((point) => [point.at, point[kind]]),
  }));
  const most = Math.max(...curves.flatMap((curve) => curve.points.map(([, y]) => y)));
  const top = most <= 1 ? 1 : Math.ceil(most / 10 ** Math.floor(Math.log10(most))) * 10 ** Math.floor(Math.log10(most));
  chart(byId("flow"), curves, 0, top, [[0, "0"], [top / 2, rate(top / 2)], [top, rate(top)]],
    `A second now: ${curves.map((curve) => `${curve.name} ${rate(curve.points.at(-1)[1])}`).join(", ")}`, 130);
  const behind = flow.at(-1).lag;
  put("now", behind ? `${counted(behind, "record")} not yet read.` : "Everything has been read.");
}

function drawWorth(model) {
  const bound = (x, none) => (x === null ? none : signed(x));
  const odds = (x) => 1 / (1 + Math.exp(-x));
  const share = (x) => (odds(x) > 0.99 ? "over 99%" : odds(x) < 0.01 ? "under 1%" : percent(odds(x)));
  const rows = model.worth.map(({ signal, segment, log_odds, low, high, doubt }) => {
    const known = log_odds !== null;
    const words = [known ? `satisfied in ${share(log_odds)}` : "", doubt ? DOUBTS[doubt] ?? doubt : ""];
    const whose = segment === null ? [] : [" ", element("small", {}, element("bdi", {}, segment))];
    return element("tr", {}, element("th", { scope: "row" }, element("bdi", {}, signal), ...whose),
      element("td", { class: "number" }, known ? signed(log_odds) : "–"),
      element("td", { class: "number" }, known ? `${bound(low, "−∞")} to ${bound(high, "+∞")}` : ""),
      element("td", {}, words.filter((text) => text).join("; ")));
  });
  byId("worth").tBodies[0].replaceChildren(...rows);
  byId("worths").hidden = !rows.length;
}

function drawLeaks(model) {
  const rows = model.leaking.map(({ name, share, left_out }) => element("li", {}, element("bdi", {}, name),
    `: which action was shown explains ${percent(share)} of it, who saw it nothing; ` +
    (left_out ? "left out" : "still learned from, as the configuration names it")));
  byId("leaking").hidden = !rows.length;
  byId("leaks").replaceChildren(...rows);
}

function drawLearning(model, at) {
  const version = model.policy_version === null ? "none yet" : `version ${whole.format(model.policy_version)}`;
  const age = model.published === null ? "age not known" : `published ${ago(at - model.published)}`;
  put("policy", model.policy_version === null ? version : `${version} (interactions it includes), ${age}`);
  put("learned", counted(model.learned, "interaction"));
  put("doubt", model.violated.join("; ") ||
    (model.rates?.[3] > 0.01 ? `the meaning of some signals: ${percent(model.rates[3])} unknown` : "nothing"));
  const lift = model.prior_log_loss ? 1 - model.log_loss / model.prior_log_loss : null;
  put("information", lift === null ? "none yet" : model.learned < FEW ? "too few interactions yet" : lift <= 0.01
    ? "does not say what was shown: no better than chance"
    : `says what was shown ${percent(lift)} better than chance (log loss ${model.log_loss.toFixed(2)} against ` +
      `${model.prior_log_loss.toFixed(2)})`);
}

function drawJoin(counts) {
  const rows = OUTCOMES.filter(([name, , always]) => always || counts[name]).map(([name, meaning]) =>
    element("tr", {}, element("td", {}, meaning), element("td", { class: "number" }, whole.format(counts[name] ?? 0))));
  byId("join").tBodies[0].replaceChildren(...rows);
}

function drawConditions(conditions, at) {
  const grave = conditions.filter((one) => one.grave);
  const strip = byId("conditions");
  strip.className = grave.length ? "wide look" : "wide well";
  const rows = conditions.map((one) => {
    const row = element("li", one.grave ? {} : { class: "note" });
    const about = one.subject ? [element("bdi", {}, one.subject), ": "] : [];
    const since = element("time", { datetime: new Date(one.since).toISOString() }, `for ${ago(at - one.since).replace(" ago", "")}`);
    row.append(...about, one.says, " (", since, ") ", element("a", { href: one.runbook }, "what to do"));
    return row;
  });
  strip.replaceChildren(element("p", {}, element("strong", {}, grave.length ? "Look at this" : "Well")),
    ...(rows.length ? [element("ul", {}, ...rows)] : []));
}

function drawWorker(live) {
  const held = ({ partitions, of }) => `${partitions.length ? partitions.join(", ") : "none"} of ${of}`;
  const complete = [live.events, live.interactions].every(({ partitions, of }) => partitions.length === of);
  put("worker", live.waiting_for
    ? `A worker of group ${live.group}: ${live.waiting_for}.`
    : complete
    ? `The only worker of group ${live.group}: it holds all partitions.`
    : `One worker of group ${live.group}. Others hold the other partitions and have pages of their own: ` +
      "what is counted here is this worker’s share.");
  put("partitions", `events ${held(live.events)}; interactions ${held(live.interactions)}`);
  put("started", `${ago(live.at - live.started)}, at ${new Date(live.started).toLocaleString("en-GB")}`);
  put("pending", counted(live.pending, "impression"));
  put("lag", Object.entries(live.lag).map(([topic, count]) => `${topic} ${whole.format(count)}`).join(", "));
  const refused = Object.entries(live.dead_letters).filter(([, count]) => count);
  put("refused", refused.map(([what, count]) => `${whole.format(count)} ${what}`).join("; ") || "nothing");
}

function drawChoice(live) {
  const select = byId("model");
  byId("choice").hidden = live.models.length < 2;
  if (live.models.join("\n") !== Array.from(select.options, (option) => option.value).join("\n")) {
    select.replaceChildren(...live.models.map((name) => element("option", { value: name }, name)));
  }
  select.value = live.model?.name ?? "";
}

function draw() {
  const live = shown;
  document.querySelector("main").hidden = false;
  drawConditions(live.conditions, live.at);
  drawWorker(live);
  drawChoice(live);
  drawJoin(live.join);
  drawFlow(live.flow);
  if (!live.model) return;
  const model = live.model;
  put("name", model.name);
  byId("unknown").hidden = chosen === null || live.models.includes(chosen);
  put("unknown", `No model ${chosen} is configured: this is ${model.name}. There are ${live.models.join(", ")}.`);
  byId("elsewhere").hidden = model.here || live.waiting_for !== null;
  put("elsewhere", `Model ${model.name} is learned by the worker that holds partition ${model.partition} of the ` +
    "interactions: see its page.");
  drawRates(live);
  drawValue(model, live.at);
  drawCompared(model);
  drawSignals(model);
  drawDiffering(model);
  drawSegments(model);
  drawShown(model);
  drawWorth(model);
  drawLeaks(model);
  drawLearning(model, live.at);
}

function sayGone(gone) {
  document.body.classList.toggle("gone", gone);
  document.title = gone ? "gone: groundswell" : "groundswell";
  byId("gone").hidden = !gone;
  put("condition", gone ? "gone" : shown.waiting_for ?? "reading");
  put("gone", shown
    ? `The worker does not answer. What you see is from ${clock(shown.at)}; this page goes on asking.`
    : "The worker does not answer; this page goes on asking.");
}

async function look() {
  try {
    const asked = chosen === null ? "" : `?model=${encodeURIComponent(chosen)}`;
    const answer = await fetch(`live.json${asked}`, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    shown = await answer.json();
  } catch {
    return sayGone(true);
  }
  sayGone(false);
  draw();
}

async function keepLooking() {
  try {
    if (!document.hidden) await look();
  } finally {
    setTimeout(keepLooking, EVERY);
  }
}

// What was chosen stays in the address, so that it can be reloaded and sent to others.
function keep(name, value) {
  query.set(name, value);
  history.replaceState(null, "", `?${query}`);
}

byId("model").addEventListener("change", (event) => {
  chosen = event.target.value;
  keep("model", chosen);
  look();
});
byId("range").append(...RANGES.map(([name, words]) => element("option", { value: name }, words)));
byId("range").value = range[0];
byId("range").addEventListener("change", (event) => {
  range = RANGES.find(([name]) => name === event.target.value);
  keep("range", range[0]);
  if (shown) draw();
});
document.addEventListener("visibilitychange", () => document.hidden || look());
window.addEventListener("resize", () => shown && draw());
keepLooking();
