import com.fasterxml.jackson.databind.ObjectMapper;
import groundswell.Action;
import groundswell.Chosen;
import groundswell.NewestControl;
import groundswell.NewestPolicy;
import groundswell.Policy;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
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
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * An app with a feed: each line of standard input is the visit of a user, and what the user gave ("ann click").
 *
 * <p>In the folder above: {@code mvn -q package dependency:copy-dependencies -DincludeScope=runtime}, then
 * {@code echo "ann click" | KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092
 * java -cp 'example/target/classes:example/target/dependency/*' Loop}.
 */
public final class Loop {
    private static final String SERVERS = System.getenv("KAFKA_BOOTSTRAP_SERVERS");
    private static final String MODEL = "feed";
    private static final List<Action> ACTIONS =
        List.of(new Action("news"), new Action("sport", Map.of("length", 3)), new Action("music"));
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final NewestPolicy NEWEST = new NewestPolicy(MODEL);
    private static final NewestControl CONTROLS = new NewestControl(MODEL); // by which policy to act is switched there

    public static void main(String[] arguments) throws Exception {
        var readToTheirEnds = new CountDownLatch(1);
        var follower = new Thread(() -> follow(readToTheirEnds));
        follower.setDaemon(true);
        follower.start();
        readToTheirEnds.await(10, TimeUnit.SECONDS); // without a policy, apps choose uniformly at random

        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "linger.ms", 5);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
                var visits = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line; (line = visits.readLine()) != null; ) {
                String[] words = line.trim().split("\\s+");
                Map<String, Object> context = Map.of("user", words[0], "returning", true, "hour", 9);
                Chosen decides = CONTROLS.acting().chosen(context, NEWEST.policy()); // it may be another for the next
                double[] probabilities = decides.policy().probabilities(context, ACTIONS);
                String id = UUID.randomUUID().toString();
                long now = System.currentTimeMillis();
                Map<String, Object> impression = message(id, now);
                impression.put("model", MODEL);
                impression.put("context", context);
                impression.put("actions", ACTIONS);
                impression.put("chosen", Policy.draw(probabilities, Math.random()));
                impression.put("probabilities", probabilities);
                impression.put("policy_version", decides.policy().version());
                if (decides.mode() != null && !decides.mode().equals("online")) {
                    impression.put("mode", decides.mode());
                }
                if (decides.side() != null) {
                    impression.put("side", decides.side());
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

    /** Reads the topics from their beginning, and then on; each instance of an app on its own, without a group. */
    private static void follow(CountDownLatch readToTheirEnds) {
        Map<String, Object> settings = Map.of("bootstrap.servers", SERVERS, "enable.auto.commit", false);
        var controls = new TopicPartition("controls", 0);
        var places = List.of(new TopicPartition("policies", 0), controls);
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(places);
            consumer.seekToBeginning(places);
            Map<TopicPartition, Long> ends = consumer.endOffsets(places);
            while (true) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    if (record.topic().equals(controls.topic())) {
                        CONTROLS.offer(record.key(), record.value(), List.of());
                    } else {
                        NEWEST.offer(record.key(), record.value(), List.of());
                    }
                }
                if (places.stream().allMatch(place -> consumer.position(place) >= ends.get(place))) {
                    CONTROLS.readToItsEnd();
                    readToTheirEnds.countDown();
                }
            }
        }
    }
}
