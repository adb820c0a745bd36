"""Schemathesis's hooks: which files the cases are about, and what they were answered.

A case with an ID that nobody has proves little, so most get the ID of a file that was prepared, in
every state of its life. Whatever operation has an `id` in its path takes part, new ones too.

Absent on purpose: any list of operations, and any answer that is excused.
"""

import atexit
import collections
import datetime
import itertools
import json
import os
import re
import unicodedata

import schemathesis
from hypothesis import strategies as st

with open(os.environ["PREPARED_FILES"], encoding="utf-8") as prepared_file:
    PREPARED = json.load(prepared_file)

# One in so many IDs stays as it was generated.
MADE_UP_IDS = 12
MAX_FILE_NAME_BYTES = 255
LONGEST_WAIT = 20
CURSOR = re.compile("[A-Za-z0-9_-]{32}")

# The longest label of a token, and title of a link, in characters, and what looks like a time or an ID.
MAX_LABEL = 100
# How long the reason of a hold may be.
MAX_HOLD_REASON = 500
MAX_TITLE = 200
# How many texts a file may have, by name; eight characters of each are short enough.
MAX_METADATA_KEYS = 16
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SCOPES = ("read", "write", "delete", "admin")
END = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")

SHARED_LINKS = {link["id"] for link in PREPARED["shared"]}

turns = itertools.count()
turns_of = collections.defaultdict(itertools.count)
answers = collections.defaultdict(collections.Counter)


def known_ids(operation):
    """IDs to choose from: the states in equal shares. What deletes has files of its own, so that
    the others keep theirs."""
    if "/tokens/" in operation.path:
        return PREPARED["tokens"]
    if "/links/" in operation.path:
        return PREPARED["links to end" if operation.method == "delete" else "links"]
    if "/boxes/" in operation.path:
        return PREPARED["boxes to end" if operation.method == "delete" else "boxes"]
    return PREPARED["disposable" if operation.method == "delete" else "files"]


@schemathesis.hook
def before_generate_path_parameters(context, strategy):
    """The IDs of the fuzzing phase."""
    if context.operation is None or "{id}" not in context.operation.path:
        return strategy
    states = known_ids(context.operation)
    known = st.sampled_from(sorted(states)).flatmap(lambda state: st.sampled_from(states[state]))

    def with_id(generated):
        def put(known_id):
            # A generated value may come with what schemathesis knows of it; only the ID changes.
            getattr(generated, "value", generated)["id"] = known_id
            return generated

        choose = st.integers(0, MADE_UP_IDS - 1)
        return choose.flatmap(lambda n: st.just(generated) if n == 0 else known.map(put))

    return strategy.flatmap(with_id)


@schemathesis.hook
def map_case(context, case):
    phase = case.meta.phase.name.value if case.meta else None
    if phase in ("examples", "coverage") and "{id}" in case.operation.path:
        # These phases make their values without asking any strategy.
        states = known_ids(case.operation)
        # Counted for each operation, so that however many there are, each gets files of all states.
        turn = next(turns_of[case.operation.label])
        files = states[sorted(states)[turn % len(states)]]
        case.path_parameters["id"] = files[turn // len(states) % len(files)]
    if "/links/" in case.operation.path and case.path_parameters["id"] in SHARED_LINKS:
        # What is passed on stays as it is.
        made = PREPARED["links"]["made"]
        case.path_parameters["id"] = made[next(turns) % len(made)]
    query = case.query or {}
    wait = query.get("wait")
    if str(wait).isdigit() and 1 < int(wait) <= LONGEST_WAIT:
        # A number that is allowed, and doesn't hold up the run.
        query["wait"] = int(wait) % 2
    is_of_links = case.operation.path.endswith("/links") and "{id}" not in case.operation.path
    if CURSOR.fullmatch(str(query.get("cursor"))) and is_of_links:
        query["cursor"] = PREPARED["cursor of links"]
    elif CURSOR.fullmatch(str(query.get("cursor"))) and case.operation.path.endswith("/boxes"):
        query["cursor"] = PREPARED["cursor of boxes"]
    elif CURSOR.fullmatch(str(query.get("cursor"))):
        # Well formed, so it has to be one that was given out for this list.
        # What happened to a file, and its links, go on where that file's page said, and nobody keeps it here.
        is_of_a_file = "{id}" in case.operation.path
        query["cursor"] = "" if is_of_a_file else PREPARED["cursors"].get(str(query.get("status")), "")
    if case.operation.path.endswith("/session") and isinstance(case.body, dict):
        if isinstance(case.body.get("key"), str):
            # Any other is 401, as the contract says and no schema can.
            case.body = {**case.body, "key": PREPARED["key"]}
    if case.operation.path.endswith("/tokens") and isinstance(case.body, dict):
        case.body = with_possible_end(case.body)
    if "/links" in case.operation.path and isinstance(case.body, dict):
        case.body = with_known_files(case.body)
    if "/shared/" in case.operation.path and (phase == "stateful" or next(turns) % MADE_UP_IDS):
        # Nobody can make up a URL of a link, or the password of one that was made before.
        shared = PREPARED["shared"][next(turns) % len(PREPARED["shared"])]
        case.path_parameters["token"] = shared["token"]
        if "id" in case.path_parameters:
            case.path_parameters["id"] = shared["file"]
    if "/drop/" in case.operation.path and (phase == "stateful" or next(turns) % MADE_UP_IDS):
        # The same of a box.
        case.path_parameters["token"] = PREPARED["box to hand in to"]
    if "/drop/" in case.operation.path and isinstance(case.body, dict):
        case.body = with_submitter(case.body)
    if "/boxes" in case.operation.path and isinstance(case.body, dict):
        case.body = with_times_in_order(case.body)
    if case.operation.path.endswith("/hold") and isinstance(case.body, dict):
        case.body = with_reason_on_a_line(case.body)
    if case.operation.path.endswith("/keep-until") and isinstance(case.body, dict):
        case.body = with_time_to_come(case.body, "keepUntil")
    if "/pairings" in case.operation.path and isinstance(case.body, dict):
        case.body = with_known_codes(case.operation.path, case.body)
    if case.operation.path.endswith("/files") and isinstance(case.body, dict):
        case.body = with_short_metadata(with_time_to_come(case.body, "deleteAfter"))
    return case


def with_known_codes(path, body):
    """Codes of programs that wait: any other is 404 or 410, and counts as a try at a code."""
    changed = dict(body)
    known = PREPARED["pairings"]
    turn = next(turns)
    if isinstance(body.get("client"), str) and 0 < len(body["client"]) <= MAX_LABEL:
        changed["client"] = seen(body["client"])
    if isinstance(body.get("deviceCode"), str) and turn % MADE_UP_IDS:
        changed["deviceCode"] = known["device"][turn % len(known["device"])]
    if isinstance(body.get("userCode"), str) and 8 <= len(body["userCode"]) <= 64:
        # An approval that is sent again has to say the same.
        pool = "look"
        if path.endswith("/approve"):
            pool = "approve" if body.get("scopes") is None else "approve with scopes"
        changed["userCode"] = known[pool][turn % len(known[pool])]
        scopes = body.get("scopes")
        if isinstance(scopes, list) and scopes and all(scope in SCOPES for scope in scopes):
            changed["scopes"] = ["read"]
    return changed


def with_known_files(link):
    """Files that there are, texts that are seen, and an end that is possible: what a schema has no words for."""
    changed = with_time_to_come(link, "expiresAt")
    for field, longest in [("title", MAX_TITLE), ("label", MAX_LABEL)]:
        text = link.get(field)
        if isinstance(text, str) and 0 < len(text) <= longest:
            changed = {**changed, field: seen(text)}
    files = link.get("files")
    if not isinstance(files, list) or not 0 < len(set(map(str, files))) == len(files) <= 100:
        return changed
    if not all(isinstance(file, str) and UUID.fullmatch(file) for file in files):
        return changed
    known = PREPARED["files"]["available"]
    first = next(turns)
    wanted = min(len(files), len(known))
    return {**changed, "files": [known[(first + n) % len(known)] for n in range(wanted)]}


@schemathesis.hook
def before_call(context, case, kwargs):
    """Who sends it: the operator, with the key, or in a browser's session where nobody else may."""
    is_from_browser = case.operation.path.endswith(("/pairings/look", "/pairings/approve"))
    proof = {"Authorization": f"Bearer {PREPARED['key']}"}
    if is_from_browser:
        proof = {"Cookie": PREPARED["session"]}
    case.headers = {**(case.headers or {}), **proof}


def with_submitter(hand_in):
    """A name that is seen, and one at all, since the box asks for it: what a schema has no words for."""
    name = hand_in.get("submitter")
    if name is None:
        return {**hand_in, "submitter": "Ada Lovelace"}
    if isinstance(name, str) and 0 < len(name) <= MAX_LABEL:
        return {**hand_in, "submitter": seen(name)}
    return hand_in


def with_times_in_order(file_box):
    """A box opens before it is due, and is due before it closes, for all and for each; and its title is seen."""
    changed = dict(file_box)
    title = file_box.get("title")
    if isinstance(title, str) and 0 < len(title) <= MAX_TITLE:
        changed["title"] = seen(title)
    if file_box.get("submitter") == "signed_in":
        # The service has no issuer, so nobody signs in to it.
        changed["submitter"] = "named"
    for days, field in enumerate(["opensAt", "dueAt", "closesAt"], start=28):
        changed = with_time_to_come(changed, field, days)
    overrides = file_box.get("overrides")
    if isinstance(overrides, list) and all(isinstance(one, dict) for one in overrides):
        for number, one in enumerate(overrides):
            for days, field in enumerate(["dueAt", "closesAt"], start=29):
                one = with_time_to_come(one, field, days)
            name = one.get("submitter")
            if isinstance(name, str) and 0 < len(name) <= MAX_LABEL:
                # One for each person, whatever else the name is.
                one = {**one, "submitter": f"{seen(name)[:MAX_LABEL - 4]} {number}"}
            overrides[number] = one
        changed["overrides"] = overrides
    return changed


def with_reason_on_a_line(hold):
    """A reason is seen, and ends no line: what a schema has no words for."""
    reason = hold.get("reason")
    if not isinstance(reason, str) or not 0 < len(reason) <= MAX_HOLD_REASON:
        return hold
    line = "".join(c for c in seen(reason) if unicodedata.category(c) not in ("Zl", "Zp")).strip()
    return {**hold, "reason": line or "a reason"}


def with_possible_end(token):
    """What a schema has no words for: an end that is a time lies within a year, and a label is seen."""
    changed = dict(token)
    label = token.get("label")
    if isinstance(label, str) and 0 < len(label) <= MAX_LABEL:
        changed["label"] = seen(label)
    return with_time_to_come(changed, "expiresAt")


def with_time_to_come(body, field, days=30):
    """The same for any time that has to lie ahead, and not too far."""
    end = body.get(field)
    if not isinstance(end, str) or not END.match(end):
        return body
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    return {**body, field: soon.isoformat(timespec="seconds")}


def with_short_metadata(new_file):
    """A limit in bytes over all of it, and keys that are seen: what a schema has no words for."""
    metadata = new_file.get("metadata")
    if not isinstance(metadata, dict) or len(metadata) > MAX_METADATA_KEYS:
        return new_file
    if not all(isinstance(value, str) for value in metadata.values()):
        return new_file
    short = {seen(key)[:8]: value[:8] for key, value in metadata.items()}
    return {**new_file, "metadata": short}


def seen(label):
    """Without what can't be seen, which a schema has no words for."""
    return "".join(c for c in label if not unicodedata.category(c).startswith("C")).strip() or "a label"


@schemathesis.hook
def filter_case(context, case):
    """Query parameters that the contract doesn't have are ignored, as OpenAPI leaves open and as people
    expect who append something to a URL. schemathesis would have them refused."""
    known = {parameter.name for parameter in case.operation.query}
    return known.issuperset(case.query or {})


@schemathesis.hook
def filter_body(context, body):
    """A limit in bytes, which a schema has no words for: names that the schema allows and the limit
    doesn't are left out."""
    name = body.get("filename") if isinstance(body, dict) else None
    if not isinstance(name, str) or len(name) > MAX_FILE_NAME_BYTES:
        return True
    cleaned = unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass")
    return len(cleaned) <= MAX_FILE_NAME_BYTES


@schemathesis.hook
def after_call(context, case, response):
    answers[f"{case.method.upper()} {case.operation.path}"][response.status_code] += 1


@atexit.register
def write_answers():
    with open(os.environ["ANSWERS"], "w", encoding="utf-8") as file:
        json.dump({name: dict(counter) for name, counter in answers.items()}, file)
