#!/usr/bin/env python3
"""Makes dates.tsv and times.tsv: random rules and their next ten occurrences.

    python3 make.py            (python-dateutil 2.9.0.post0, Python 3.9 or later with tzdata)

python-dateutil expands the rules over days and over wall-clock times without a zone; zoneinfo turns wall-clock
times into points in time with fold=0: the first of a time that comes twice, and for one that is skipped the
offset before. Each expansion is also held against `brute`, which looks at every day by itself and was written
from the words of RFC 5545; where the two differ the rule is left out and counted.

Only what the RFC leaves no choice in: the start is an occurrence; BYWEEKNO has a BYDAY, and neither INTERVAL nor
BYSETPOS (whose year does a week belong to?); BYDAY has numbers before all days or before none.
"""

import calendar
import random
from collections import Counter
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Sydney", "America/Santiago", "Australia/Lord_Howe",
         "Asia/Kolkata", "Europe/London", "Pacific/Auckland", "Africa/Johannesburg", "America/St_Johns"]
OCCURRENCES = 10
HORIZON = 95


def numbers(r, low, high, most, negative):
    values = set()
    for _ in range(r.randint(1, most)):
        n = r.randint(low, high)
        values.add(-n if negative and r.random() < 0.3 else n)
    return ",".join(map(str, sorted(values)))


def days(r, most, numbered):
    chosen = r.sample(DAYS, r.randint(1, most))
    if numbered:
        chosen = [f"{r.choice(numbered)}{day}" for day in chosen]
    return ",".join(chosen)


def draw(r):
    """The parts of a random rule, without COUNT and UNTIL."""
    freq = r.choice(["DAILY", "WEEKLY", "MONTHLY", "MONTHLY", "YEARLY", "YEARLY"])
    parts = {"FREQ": freq}
    week = False
    if freq == "DAILY":
        interval = r.choice([1, 1, 2, 3, 10, 45])
        if r.random() < 0.5:
            parts["BYDAY"] = days(r, 5, None)
        if r.random() < 0.3:
            parts["BYMONTH"] = numbers(r, 1, 12, 5, False)
        if r.random() < 0.3:
            parts["BYMONTHDAY"] = numbers(r, 1, 31, 8, True)
    elif freq == "WEEKLY":
        interval = r.choice([1, 1, 2, 2, 3, 5])
        if r.random() < 0.8:
            parts["BYDAY"] = days(r, 5, None)
        if r.random() < 0.2:
            parts["BYMONTH"] = numbers(r, 1, 12, 6, False)
    elif freq == "MONTHLY":
        interval = r.choice([1, 1, 1, 2, 3, 7])
        if r.random() < 0.2:
            parts["BYMONTH"] = numbers(r, 1, 12, 6, False)
        kind = r.random()
        if kind < 0.35:
            parts["BYMONTHDAY"] = numbers(r, 1, 31, 4, True)
        elif kind < 0.6:
            parts["BYDAY"] = days(r, 4, [1, 2, 3, 4, 5, -1, -2, -3, -4])
        elif kind < 0.8:
            parts["BYDAY"] = days(r, 6, None)
        elif kind < 0.9:
            parts["BYDAY"] = days(r, 2, None)
            parts["BYMONTHDAY"] = numbers(r, 1, 31, 6, True)
    else:
        interval = r.choice([1, 1, 1, 1, 2, 4])
        kind = r.random()
        week = kind < 0.15
        if week:
            interval = 1
            parts["BYWEEKNO"] = numbers(r, 1, 53, 4, True)
            parts["BYDAY"] = days(r, 3, None)
        elif kind < 0.3:
            parts["BYYEARDAY"] = numbers(r, 1, 366, 5, True)
        elif kind < 0.4:
            parts["BYDAY"] = days(r, 2, [1, 2, 10, 26, 52, 53, -1, -2, -20, -52])
        elif kind < 0.7:
            parts["BYMONTH"] = numbers(r, 1, 12, 4, False)
            if r.random() < 0.4:
                parts["BYDAY"] = days(r, 3, [1, 2, 3, 4, 5, -1, -2, -3])
            elif r.random() < 0.6:
                parts["BYMONTHDAY"] = numbers(r, 1, 31, 4, True)
        elif kind < 0.8:
            parts["BYMONTHDAY"] = numbers(r, 1, 31, 3, True)
            if r.random() < 0.5:
                parts["BYDAY"] = days(r, 4, None)
    if interval > 1:
        parts["INTERVAL"] = str(interval)
    if not week and freq != "DAILY" and ({"BYDAY", "BYMONTHDAY", "BYYEARDAY"} & parts.keys()) and r.random() < 0.3:
        most = {"WEEKLY": len(parts.get("BYDAY", "-").split(",")), "MONTHLY": 4, "YEARLY": 8}[freq]
        parts["BYSETPOS"] = numbers(r, 1, most, 2, True)
    if r.random() < 0.35:
        parts["WKST"] = r.choice(DAYS)
    return parts


def spelled(parts):
    return ";".join(f"{name}={value}" for name, value in parts.items())


def whole_weeks(parts, start):
    """dateutil counts BYSETPOS in what is left of the first week: let it begin with a whole one."""
    if parts["FREQ"] != "WEEKLY" or "BYSETPOS" not in parts:
        return parts, start
    into = (start.weekday() - DAYS.index(parts.get("WKST", "MO"))) % 7
    return {"BYDAY": DAYS[start.weekday()], **parts}, start - timedelta(days=into)


def by_dateutil(parts, start):
    written, begin = whole_weeks(parts, start)
    found = []
    end = start.year + HORIZON
    # Ends the search of rules that never occur.
    rule = rrulestr(spelled(written) + f";UNTIL={min(end, 9999)}1231T000000", dtstart=datetime.combine(begin, time()))
    for at in rule:
        if at.date() >= start:
            found.append(at.date())
        if len(found) > OCCURRENCES:
            break
    return found


def brute(parts, start):
    """Every day by itself: is it in step, in every list, at one of the places?"""
    freq, interval = parts["FREQ"], int(parts.get("INTERVAL", 1))
    first = DAYS.index(parts.get("WKST", "MO"))
    lists = {name: parts[name].split(",") for name in parts if name.startswith("BY")}
    named = {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY"} & lists.keys()
    if freq == "WEEKLY" and "BYDAY" not in lists:
        lists["BYDAY"] = [DAYS[start.weekday()]]
    if freq in ("MONTHLY", "YEARLY") and not named:
        lists["BYMONTHDAY"] = [str(start.day)]
        if freq == "YEARLY" and "BYMONTH" not in lists:
            lists["BYMONTH"] = [str(start.month)]

    def week_begin(day):
        return day - timedelta(days=(day.weekday() - first) % 7)

    def week_one(year):
        return week_begin(date(year, 1, 4))

    def in_month(day):
        return day.day, calendar.monthrange(day.year, day.month)[1]

    def in_year(day):
        return day.timetuple().tm_yday, 366 if calendar.isleap(day.year) else 365

    def week_of(day):
        begin = week_begin(day)
        for year in (day.year + 1, day.year, day.year - 1):
            if begin >= week_one(year):
                return (begin - week_one(year)).days // 7 + 1, (week_one(year + 1) - week_one(year)).days // 7

    def either(place, values):
        n, of = place
        return str(n) in values or str(n - of - 1) in values

    def listed(day):
        if "BYMONTH" in lists and str(day.month) not in lists["BYMONTH"]:
            return False
        if "BYMONTHDAY" in lists and not either(in_month(day), lists["BYMONTHDAY"]):
            return False
        if "BYYEARDAY" in lists and not either(in_year(day), lists["BYYEARDAY"]):
            return False
        if "BYWEEKNO" in lists and not either(week_of(day), lists["BYWEEKNO"]):
            return False
        if "BYDAY" in lists:
            name = DAYS[day.weekday()]
            n, of = in_month(day) if freq == "MONTHLY" or "BYMONTH" in lists else in_year(day)
            names = {name, f"{(n - 1) // 7 + 1}{name}", f"{-((of - n) // 7 + 1)}{name}"}
            if not names & set(lists["BYDAY"]):
                return False
        return True

    def step(day):
        if freq == "DAILY":
            return day.toordinal()
        if freq == "WEEKLY":
            return week_begin(day).toordinal() // 7
        return day.year * 12 + day.month if freq == "MONTHLY" else day.year

    found, group, at = [], [], None
    day = {"DAILY": start, "WEEKLY": week_begin(start), "MONTHLY": start.replace(day=1),
           "YEARLY": start.replace(month=1, day=1)}[freq]
    while day.year <= start.year + HORIZON and len(found) <= OCCURRENCES:
        if step(day) != at:
            found += chosen(group, lists, start)
            group, at = [], step(day)
        if (at - step(start)) % interval == 0 and listed(day):
            group.append(day)
        day += timedelta(days=1)
    return (found + chosen(group, lists, start))[: OCCURRENCES + 1]


def chosen(group, lists, start):
    if "BYSETPOS" in lists:
        places = {int(n) for n in lists["BYSETPOS"]}
        group = [day for n, day in enumerate(group, 1) if n in places or n - len(group) - 1 in places]
    return [day for day in group if day >= start]


def case(r, low, high, left_out):
    """A rule, a start that is one of its days, and the days after it."""
    while True:
        parts = draw(r)
        anywhere = date(low, 1, 1) + timedelta(days=r.randrange((high - low) * 365))
        first = by_dateutil(parts, anywhere)
        if not first:
            left_out["nothing within the horizon"] += 1
            continue
        start = first[0]
        found = by_dateutil(parts, start)
        if found != brute(parts, start):
            left_out["the two differ: " + spelled(parts)] += 1
            continue
        if len(found) <= OCCURRENCES:
            left_out["fewer than ten within the horizon"] += 1
            continue
        return parts, start, found[1:]


def header(file, what, count, columns):
    file.write(f"# {what}\n# Made by make.py, seeded, with python-dateutil; {count} rules.\n# {columns}\n")


def dates(folder, left_out):
    r = random.Random(5545)
    rows = []
    while len(rows) < 2500:
        parts, start, found = case(r, 1950, 2080, left_out)
        end = r.random()
        if end < 0.15:
            count = r.randint(1, 12)
            parts["COUNT"], found = str(count), found[: count - 1]
        elif end < 0.3:
            until = r.choice(found) + timedelta(days=r.choice([-1, 0, 0, 1]))
            parts["UNTIL"], found = until.strftime("%Y%m%d"), [day for day in found if day <= until]
        rows.append("\t".join([spelled(parts), f"{start}", *(day.strftime("%Y%m%d") for day in found)]))
    with open(folder / "dates.tsv", "w") as file:
        header(file, "Random rules on days.", len(rows), "rule, start, the next ten days or fewer if the rule ends")
        file.writelines(row + "\n" for row in rows)


def times(folder, left_out):
    r = random.Random(2445)
    rows = []
    while len(rows) < 700:
        parts, start, found = case(r, 1990, 2015, left_out)
        if found[-1].year > 2036:
            continue
        name = r.choice(ZONES)
        zone = ZoneInfo(name)
        clock = time(r.choice([0, 0, 1, 1, 2, 2, 2, 3, 9, 23]), r.choice([0, 10, 15, 30, 59]), r.choice([0, 0, 30]))

        def instant(day):
            return datetime.combine(day, clock, zone).astimezone(timezone.utc)

        if instant(start).astimezone(zone).replace(tzinfo=None) != datetime.combine(start, clock):
            continue
        found = [instant(day) for day in found]
        end = r.random()
        if end < 0.15:
            count = r.randint(1, 12)
            parts["COUNT"], found = str(count), found[: count - 1]
        elif end < 0.3:
            until = r.choice(found) + timedelta(seconds=r.choice([-1, 0, 1]))
            parts["UNTIL"], found = until.strftime("%Y%m%dT%H%M%SZ"), [at for at in found if at <= until]
        texts = (at.strftime("%Y%m%dT%H%M%SZ") for at in found)
        rows.append("\t".join([spelled(parts), name, instant(start).strftime("%Y%m%dT%H%M%SZ"), *texts]))
    with open(folder / "times.tsv", "w") as file:
        header(file, "Random rules at times of day in zones.", len(rows),
               "rule, zone, start, the next ten points in time or fewer if the rule ends")
        file.writelines(row + "\n" for row in rows)


if __name__ == "__main__":
    here = Path(__file__).parent
    left_out = Counter()
    dates(here, left_out)
    times(here, left_out)
    for reason, count in left_out.items():
        print(count, reason)
