// An app with a feed: each line of standard input is the visit of a user, and what the user gave ("ann click").
//
//	echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 go run .
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"strings"
	"time"

	"example.com/groundswell"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const model = "feed"

var actions = []groundswell.Action{
	{ID: "news"}, {ID: "sport", Features: groundswell.Features{"length": 3}}, {ID: "music"},
}

func main() {
	ctx := context.Background()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		// Without a group, from the beginning: each instance of an app reads on its own.
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"policies": {0: kgo.NewOffset().AtStart()}}),
		kgo.ProducerLinger(5*time.Millisecond),
		// The default is snappy, which whoever else reads these topics would have to know.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	newest, err := groundswell.NewNewestPolicy(model)
	if err != nil {
		log.Fatal(err)
	}
	readToItsEnd := make(chan struct{})
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, "policies")
	if err != nil {
		log.Fatal(err)
	}
	end, _ := ends.Lookup("policies", 0)
	go follow(ctx, client, newest, end.Offset, readToItsEnd)
	select {
	case <-readToItsEnd:
	case <-time.After(10 * time.Second): // without a policy, apps choose uniformly at random
	}

	send := func(topic, key string, message any) {
		value, err := json.Marshal(message)
		if err != nil {
			log.Fatal(err)
		}
		record := &kgo.Record{Topic: topic, Key: []byte(key), Value: value}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) {
			if err != nil {
				log.Printf("not sent: %v", err) // what Kafka refuses is lost, and nothing else with it
			}
		})
	}
	visits := bufio.NewScanner(os.Stdin)
	for visits.Scan() {
		words := strings.Fields(visits.Text())
		known := groundswell.Features{"user": words[0], "returning": true, "hour": 9}
		policy := newest.Policy() // it may be a newer one for the next
		shares, err := policy.Probabilities(known, actions)
		if err != nil {
			log.Fatal(err)
		}
		now := time.Now().UnixMilli()
		id := fmt.Sprintf("go-%d-%d", now, rand.Int63())
		impression := map[string]any{
			"schema_version": 1, "impression_id": id, "occurred_at": now, "model": model, "context": known,
			"actions": actions, "chosen": groundswell.Draw(shares, rand.Float64()), "probabilities": shares,
		}
		if policy != nil {
			impression["policy_version"] = policy.Version
		}
		send("impressions", id, impression)
		for _, signal := range words[1:] {
			send("feedback", id, map[string]any{
				"schema_version": 1, "impression_id": id, "feedback_id": id + "-" + signal,
				"occurred_at": now + 1, "signal": signal,
			})
		}
	}
	if err := client.Flush(ctx); err != nil {
		log.Fatal(err)
	}
}

// follow takes in policies as they come, and closes readToItsEnd when those that were there have been read.
func follow(
	ctx context.Context, client *kgo.Client, newest *groundswell.NewestPolicy, end int64, readToItsEnd chan struct{},
) {
	ready := false
	for next := int64(0); ; {
		if !ready && next >= end {
			ready = true
			close(readToItsEnd)
		}
		fetches := client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			next = record.Offset + 1
			newest.Offer(record.Key, record.Value, nil)
		})
	}
}
