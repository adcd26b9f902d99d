import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * An app with a feed: each line of standard input is the visit of a user, and what the user gave ("ann click").
 *
 * <p>{@code mvn -q compile dependency:copy-dependencies}, then
 * {@code echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 java -cp 'target/classes:target/dependency/*' Loop}.
 */
public final class Loop {
    private static final String SERVERS = System.getenv("KAFKA_BOOTSTRAP_SERVERS");
    private static final String MODEL = "feed";
    private static final List<Policy.Action> ACTIONS = List.of(
        new Policy.Action("news", Map.of()),
        new Policy.Action("sport", Map.of("length", 3)),
        new Policy.Action("music", Map.of()));
    private static final ObjectMapper JSON = new ObjectMapper();

    private static volatile Policy newest;

    public static void main(String[] arguments) throws Exception {
        var readToItsEnd = new CountDownLatch(1);
        var follower = new Thread(() -> followPolicies(readToItsEnd));
        follower.setDaemon(true);
        follower.start();
        readToItsEnd.await(10, TimeUnit.SECONDS); // without a policy, apps choose uniformly at random

        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "linger.ms", 5);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
                var visits = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line; (line = visits.readLine()) != null; ) {
                String[] words = line.trim().split("\\s+");
                Map<String, Object> context = Map.of("user", words[0], "returning", true, "hour", 9);
                Policy policy = newest; // it may change meanwhile
                double[] shares = new double[ACTIONS.size()];
                Arrays.fill(shares, 1.0 / shares.length);
                if (policy != null) {
                    shares = policy.probabilities(context, ACTIONS);
                }
                String id = UUID.randomUUID().toString();
                long now = System.currentTimeMillis();
                Map<String, Object> impression = message(id, now);
                impression.put("model", MODEL);
                impression.put("context", context);
                impression.put("actions", ACTIONS);
                impression.put("chosen", drawn(shares));
                impression.put("probabilities", shares);
                if (policy != null) {
                    impression.put("policy_version", policy.version);
                }
                send(producer, "impressions", id, impression);
                for (String signal : List.of(words).subList(1, words.length)) {
                    Map<String, Object> feedback = message(id, now + 1);
                    feedback.put("feedback_id", id + "-" + signal);
                    feedback.put("signal", signal);
                    send(producer, "feedback", id, feedback);
                }
            }
        }
    }

    private static Map<String, Object> message(String impressionId, long occurredAt) {
        var message = new LinkedHashMap<String, Object>();
        message.put("schema_version", 1);
        message.put("impression_id", impressionId);
        message.put("occurred_at", occurredAt);
        return message;
    }

    private static void send(KafkaProducer<String, String> to, String topic, String key, Object message) throws Exception {
        to.send(new ProducerRecord<>(topic, key, JSON.writeValueAsString(message)), (sent, error) -> {
            if (error != null) {
                System.err.println("not sent: " + error); // what Kafka refuses is lost, and nothing else with it
            }
        });
    }

    /** Reads the topic from its beginning, and then on; each instance of an app on its own, without a group. */
    private static void followPolicies(CountDownLatch readToItsEnd) {
        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "enable.auto.commit", false);
        var place = new TopicPartition("policies", 0);
        var records = new HashMap<String, byte[]>();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(place));
            consumer.seekToBeginning(List.of(place));
            long end = consumer.endOffsets(List.of(place)).get(place);
            while (true) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    records.put(record.key(), record.value());
                    if (MODEL.equals(record.key())) { // others are chunks, or of other models
                        take(records);
                    }
                }
                if (consumer.position(place) >= end) {
                    readToItsEnd.countDown();
                }
            }
        }
    }

    private static void take(Map<String, byte[]> records) {
        try {
            Policy found = Policy.whole(MODEL, records);
            if (newest == null || found.version > newest.version) {
                newest = found;
            }
        } catch (Exception unusable) {
            System.err.println("passed over a policy: " + unusable.getMessage());
        }
    }

    private static int drawn(double[] shares) {
        double rest = Math.random();
        int best = 0;
        for (int at = 0; at < shares.length; at++) {
            rest -= shares[at];
            if (rest < 0) {
                return at;
            }
            best = shares[at] > shares[best] ? at : best;
        }
        return best;
    }
}
