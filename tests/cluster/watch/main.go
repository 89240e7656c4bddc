// Watch is the long-running application of the cluster stories: one process, one STS client, made from the standard
// environment and nothing else. It asks who it is each second and prints one line of JSON a call, until it is ended.
//
// For the benchmark of pods: `watch first` tells when the first session came, `watch reads 60s 1s` how long each fetch of one took.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// line is what a call gave.
type line struct {
	N     int    `json:"n"`
	Began string `json:"began"`
	At    string `json:"at"`
	OK    bool   `json:"ok"`
	Arn   string `json:"arn,omitempty"`
	Key   string `json:"key,omitempty"`
	Error string `json:"error,omitempty"`
}

func main() {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "first":
		first()
	case len(os.Args) == 4 && os.Args[1] == "reads":
		reads(duration(os.Args[2]), duration(os.Args[3]))
	default:
		watch()
	}
}

func duration(text string) time.Duration {
	value, err := time.ParseDuration(text)
	if err != nil || value <= 0 {
		fmt.Fprintln(os.Stderr, "usage: watch [first | reads PERIOD EACH]")
		os.Exit(2)
	}
	return value
}

func watch() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	out := json.NewEncoder(os.Stdout)
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		out.Encode(line{Began: now(), At: now(), Error: err.Error()})
		os.Exit(1)
	}
	wire := &keySeen{inner: http.DefaultClient}
	cfg.HTTPClient = wire
	client := sts.NewFromConfig(cfg)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		said := call(ctx, client, n)
		if ctx.Err() != nil {
			return
		}
		said.Key = wire.key
		out.Encode(said)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func call(ctx context.Context, client *sts.Client, n int) line {
	began := now()
	who, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return line{N: n, Began: began, At: now(), Error: err.Error()}
	}
	return line{N: n, Began: began, At: now(), OK: true, Arn: aws.ToString(who.Arn)}
}

func now() string {
	return time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
}

// keySeen notes the id of the key that the last request was signed with.
type keySeen struct {
	inner *http.Client
	key   string
}

var credential = regexp.MustCompile(`Credential=([A-Z0-9]+)/`)

func (wire *keySeen) Do(request *http.Request) (*http.Response, error) {
	if found := credential.FindStringSubmatch(request.Header.Get("Authorization")); found != nil {
		wire.key = found[1]
	}
	return wire.inner.Do(request)
}
