#!/usr/bin/env bash
# Library: github.com/reugn/go-streams v0.13.0 (Go), flow.NewSlidingWindowWithOpts with an EventTimeExtractor.
# Guess: with an event time of its own the window moves with the events ("enables correct windowing even when events arrive out of order
#   or with delays"), so that a replay of a log gives its windows, and the end of the input gives what is left.
# Seen: the first event only sets where the first window begins; from then on the window moves by one slide per slide of the WALL clock.
#   Replayed at full speed, ten minutes of events give no window at all, or one where windows do not overlap: the rest is dropped at
#   the end. Events that come at half their pace are all "late" after the first window, for good. One event an hour old at the
#   start delays all windows by an hour, and a stop within it drops everything since.
# Hurts: whoever back-fills, tests or restarts behind a backlog with event-time windows in go-streams: counts and joins made on them lack most
#   of the events; no error, no log line, no counter says so.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
export GOFLAGS=-modcacherw GOMODCACHE="$tmp/modules" GOCACHE="$tmp/cache"
cat > main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"

	extension "github.com/reugn/go-streams/extension"
	"github.com/reugn/go-streams/flow"
)

type event struct {
	number int
	at     time.Time
}

// run sends the events, each after a pause, through windows of event time; it returns how many windows and which events come out.
func run(name string, events []event, pause, size, slide time.Duration) (int, map[int]bool) {
	in, out := make(chan any), make(chan any)
	go func() {
		for _, e := range events {
			in <- e
			time.Sleep(pause)
		}
		close(in)
	}()
	window := flow.NewSlidingWindowWithOpts(size, slide, flow.SlidingWindowOpts[event]{
		EventTimeExtractor: func(e event) time.Time { return e.at },
	})
	go extension.NewChanSource(in).Via(window).To(extension.NewChanSink(out))
	windows, seen := 0, map[int]bool{}
	for elements := range out {
		windows++
		for _, e := range elements.([]event) {
			seen[e.number] = true
		}
	}
	fmt.Printf("%s: %d events in, %d windows with %d of them out\n", name, len(events), windows, len(seen))
	return windows, seen
}

func every(interval time.Duration, count int, from time.Time) (events []event) {
	for n := range count {
		events = append(events, event{n, from.Add(time.Duration(n) * interval)})
	}
	return events
}

func main() {
	midnight := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	log := every(time.Second, 600, midnight)
	overlapping, _ := run("replay of 10 min, windows of 1 min every 30 s", log, 0, time.Minute, 30*time.Second)
	apart, first := run("replay of 10 min, windows of 1 min", log, 0, time.Minute, time.Minute)
	_, slow := run("at half their pace, windows of 1 s", every(100*time.Millisecond, 40, midnight), 200*time.Millisecond, time.Second, time.Second)
	live := append([]event{{-1, time.Now().Add(-time.Hour)}}, every(100*time.Millisecond, 30, time.Now())...)
	_, behind := run("live for 3 s, after one event an hour old", live, 100*time.Millisecond, time.Second, time.Second)
	asSeen := overlapping == 0 && apart <= 1 && len(first) <= 61 && len(slow) <= 11 && !slow[20] && !slow[39] && !behind[0] && !behind[29]
	if !asSeen {
		fmt.Println("not as recorded")
		os.Exit(1)
	}
}
GO
go mod init replay 2> /dev/null
go get github.com/reugn/go-streams@v0.13.0 2> /dev/null
go list -m github.com/reugn/go-streams
go run .
