#!/usr/bin/env bash
# Library: Apache Kafka Streams 4.3.1 (org.apache.kafka:kafka-streams, kafka-streams-test-utils), Java 17, no broker.
# Guess: with leftJoin and JoinWindows of 30 s an impression without feedback comes out as soon as stream time has passed
#   its window, some 30 s of stream time after it, since the fix of the spurious left rows (3.1) promises "when the window closes".
# Seen: only the first one does. After each emission the join forgets the oldest impression that still waits and looks again
#   only when the next arrival is itself a whole window old; so "no feedback" comes in bursts, anywhere from one to two
#   times (window + grace) after the impression. Joined rows come at once. A wall clock that runs on does not help.
# Hurts: whoever takes the unmatched left rows as the negative or neutral label ("none"): that label arrives up to twice as
#   late as the wait, in bursts, while clicks arrive at once; a learner reading it sees runs of clicks and runs of silence,
#   a downstream window of the same length calls half of the silence late, and an alarm on label delay fires for no cause.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
cat > pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-streams-test-utils</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -Dmaven.repo.local="$tmp/repository" dependency:copy-dependencies -DoutputDirectory="$tmp/libs"
cat > Late.java <<'JAVA'
import java.time.Duration;
import java.time.Instant;
import java.util.*;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;

/** One impression a second; every fourth gets feedback after 5 s. Prints how long each outcome took, in stream time. */
public class Late {
  public static void main(String[] args) {
    System.out.println("Kafka Streams " + AppInfoParser.getVersion());
    boolean asSeen = true;
    for (int[] settings : new int[][] {{30, 0}, {30, 30}, {60, 5}}) {
      int wait = settings[0] + settings[1];
      TreeMap<Integer, Integer> none = new TreeMap<>();
      TreeMap<Integer, Integer> joined = new TreeMap<>();
      int bursts = run(settings[0], settings[1], none, joined);
      System.out.printf("window %d s, grace %d s: feedback after %s s; none after %d to %d s (%d rows in %d bursts)%n",
          settings[0], settings[1], joined.keySet(), none.firstKey(), none.lastKey(),
          none.values().stream().mapToInt(n -> n).sum(), bursts);
      asSeen &= joined.keySet().equals(Set.of(5)) && none.firstKey() > wait && none.firstKey() <= wait + 2 && none.lastKey() >= 2 * wait - 2
          && none.lastKey() <= 2 * wait;
    }
    System.exit(asSeen ? 0 : 1);
  }

  static int run(int window, int grace, Map<Integer, Integer> none, Map<Integer, Integer> joined) {
    StreamsBuilder builder = new StreamsBuilder();
    Consumed<String, String> strings = Consumed.with(Serdes.String(), Serdes.String());
    KStream<String, String> impressions = builder.stream("impressions", strings);
    impressions.leftJoin(builder.stream("feedback", strings), (shown, feedback) -> shown + "," + feedback,
        JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(window), Duration.ofSeconds(grace)),
        StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String())).to("outcomes");
    Properties settings = new Properties();
    settings.put("application.id", "late");
    settings.put("bootstrap.servers", "unused:1");
    settings.put("default.key.serde", Serdes.StringSerde.class);
    settings.put("default.value.serde", Serdes.StringSerde.class);
    settings.put("state.dir", System.getProperty("java.io.tmpdir"));
    int bursts = 0;
    try (TopologyTestDriver driver = new TopologyTestDriver(builder.build(), settings, Instant.EPOCH)) {
      var shown = driver.createInputTopic("impressions", new StringSerializer(), new StringSerializer());
      var feedback = driver.createInputTopic("feedback", new StringSerializer(), new StringSerializer());
      var outcomes = driver.createOutputTopic("outcomes", new StringDeserializer(), new StringDeserializer());
      for (int second = 0; second < 600; second++) {
        shown.pipeInput("id" + second, "" + second, second * 1000L);
        int of = second - 5;
        if (of >= 0 && of % 4 == 0) feedback.pipeInput("id" + of, "click", second * 1000L);
        driver.advanceWallClockTime(Duration.ofSeconds(2));
        int before = none.values().stream().mapToInt(n -> n).sum();
        for (String row : outcomes.readValuesToList()) {
          String[] parts = row.split(",");
          (parts[1].equals("null") ? none : joined).merge(second - Integer.parseInt(parts[0]), 1, Integer::sum);
        }
        if (none.values().stream().mapToInt(n -> n).sum() > before) bursts++;
      }
    }
    return bursts;
  }
}
JAVA
mkdir state
java -Djava.io.tmpdir="$tmp/state" -cp "$tmp/libs/*" Late.java 2> >(grep -v SLF4J >&2)
