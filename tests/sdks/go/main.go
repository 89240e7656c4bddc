// One process, one client: who am I, twice a second, for as many seconds as the first argument says, once at least.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	seconds, err := time.ParseDuration(os.Args[1] + "s")
	if err != nil {
		panic(err)
	}
	var client *sts.Client
	end := time.Now().Add(seconds)
	for {
		arn, err := ask(&client)
		if err != nil {
			fmt.Println("error:", strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Println(arn)
		}
		time.Sleep(500 * time.Millisecond)
		if time.Now().After(end) {
			return
		}
	}
}

// ask keeps the client it could make: with a token file that cannot be sent there is no configuration.
func ask(client **sts.Client) (string, error) {
	ctx := context.Background()
	if *client == nil {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return "", err
		}
		*client = sts.NewFromConfig(cfg)
	}
	who, err := (*client).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(who.Arn), nil
}
