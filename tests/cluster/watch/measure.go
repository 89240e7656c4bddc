package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"syscall"
	"time"
)

// first asks the container endpoint until it answers with a session, says when it began and when that was, and then does nothing until
// it is ended.
func first() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	began := now()
	for ask() != nil {
		time.Sleep(50 * time.Millisecond)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{"began": began, "first": now()})
	<-ctx.Done()
}

// settle is the time in which all pods of a run begin.
const settle = 10 * time.Second

// reads asks the container endpoint at each tick of a while, and prints how long the answers took, in microseconds. It begins once all
// others have begun too, at a moment of its own, and after one answer that does not count: the node agent keeps that for a minute.
func reads(period, each time.Duration) {
	time.Sleep(settle + rand.N(each))
	if err := ask(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var took []int64
	failed := 0
	tick := time.NewTicker(each)
	defer tick.Stop()
	for end := time.Now().Add(period); time.Now().Before(end); {
		<-tick.C
		start := time.Now()
		if err := ask(); err != nil {
			failed++
			fmt.Fprintln(os.Stderr, err)
			continue
		}
		took = append(took, time.Since(start).Microseconds())
	}
	sort.Slice(took, func(a, b int) bool { return took[a] < took[b] })
	json.NewEncoder(os.Stdout).Encode(map[string]any{"took": took, "failed": failed})
}

// client keeps its connection, as SDKs of long-running programs do.
var client = &http.Client{Timeout: 10 * time.Second}

// ask fetches a session as an SDK does: the token is read from its file each time.
func ask() error {
	request, err := http.NewRequest(http.MethodGet, os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI"), nil)
	if err != nil {
		return err
	}
	if file := os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		token, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", string(token))
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", answer.Status, text)
	}
	return nil
}
