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
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			"policies": {0: kgo.NewOffset().AtStart()}, "controls": {0: kgo.NewOffset().AtStart()},
		}),
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
	controls, err := groundswell.NewNewestControl(model) // by which policy to act is switched there
	if err != nil {
		log.Fatal(err)
	}
	readToTheirEnds := make(chan struct{})
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, "policies", "controls")
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		log.Fatal(err)
	}
	go follow(ctx, client, newest, controls, ends.Offsets(), readToTheirEnds)
	select {
	case <-readToTheirEnds:
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
		chosen := controls.Acting().Chosen(known, newest.Policy()) // it may be another for the next
		shares, err := chosen.Policy.Probabilities(known, actions)
		if err != nil {
			log.Fatal(err)
		}
		now := time.Now().UnixMilli()
		id := fmt.Sprintf("go-%d-%d", now, rand.Int63())
		impression := map[string]any{
			"schema_version": 1, "impression_id": id, "occurred_at": now, "model": model, "context": known,
			"actions": actions, "chosen": groundswell.Draw(shares, rand.Float64()), "probabilities": shares,
		}
		if chosen.Policy != nil {
			impression["policy_version"] = chosen.Policy.Version
		}
		if chosen.Mode != "" && chosen.Mode != "online" {
			impression["mode"] = chosen.Mode
		}
		if chosen.Side != "" {
			impression["side"] = chosen.Side
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

// follow takes in policies and controls as they come, and closes readToTheirEnds when those that were there have been read.
func follow(
	ctx context.Context, client *kgo.Client, newest *groundswell.NewestPolicy, controls *groundswell.NewestControl,
	ends kadm.Offsets, readToTheirEnds chan struct{},
) {
	next := map[string]int64{}
	isRead := func(topic string) bool {
		end, _ := ends.Lookup(topic, 0)
		return next[topic] >= end.At
	}
	for ready := false; ; {
		if !ready && isRead("policies") && isRead("controls") {
			ready = true
			controls.ReadToItsEnd()
			close(readToTheirEnds)
		}
		fetches := client.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) {
			next[record.Topic] = record.Offset + 1
			if record.Topic == "controls" {
				controls.Offer(record.Key, record.Value, nil)
			} else {
				newest.Offer(record.Key, record.Value, nil)
			}
		})
	}
}
