package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"time"
)

// Far above what a busy machine needs.
const within = 30 * time.Second

// failed ends a scenario.
type failed struct{ text string }

func fail(format string, args ...any) {
	panic(failed{fmt.Sprintf(format, args...) + "\n" + string(debug.Stack())})
}

func ok(err error) {
	if err != nil {
		fail("unexpected error: %v", err)
	}
}

// refused wants an error that says this.
func refused(err error, text string) {
	if err == nil || !strings.Contains(err.Error(), text) {
		fail("no error that says %q, but %v", text, err)
	}
}

func same(seen, expected any) {
	if !reflect.DeepEqual(seen, expected) {
		fail("\nseen     %+v\nexpected %+v", seen, expected)
	}
}

func holds(what string, condition bool) {
	if !condition {
		fail("not so: %s", what)
	}
}

// eventually runs check until it says true.
func eventually(what string, check func() bool) {
	deadline := time.Now().Add(within)
	for !check() {
		if time.Now().After(deadline) {
			fail("not so within %s: %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// soon waits for a channel to give something or to be closed.
func soon[T any](what string, channel <-chan T) T {
	select {
	case value := <-channel:
		return value
	case <-time.After(within):
		fail("not within %s: %s", within, what)
		panic("unreachable")
	}
}

// report prints a line of JSON for whoever reads the output.
func report(line any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, string(text))
}

// run gives nil, or what went wrong.
func run(scenario func()) (problem *string) {
	defer func() {
		if found := recover(); found != nil {
			text := fmt.Sprintf("panic: %v\n%s", found, debug.Stack())
			if known, is := found.(failed); is {
				text = known.text
			}
			problem = &text
		}
	}()
	scenario()
	return nil
}
