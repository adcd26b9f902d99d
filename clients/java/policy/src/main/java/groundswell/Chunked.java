package groundswell;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** The newest records of a value that lies in one of them or in several. Keys are texts with a character for each byte. */
final class Chunked {
    private static final String MANIFEST = "{\"kind\":\"chunked\"";
    private static final Pattern CHUNK = Pattern.compile("[01]\0(0|[1-9][0-9]{0,2})");
    private static final Pattern DIGITS = Pattern.compile("[0-9a-f]{64}");
    private static final int MOST_CHUNKS = 1_000;

    private final String key;
    private final Map<String, byte[]> records = new HashMap<>();

    Chunked(String key) {
        this.key = key;
    }

    static String bytewise(byte[] content) {
        return new String(content, StandardCharsets.ISO_8859_1);
    }

    static String bytewise(String text) {
        return bytewise(text.getBytes(StandardCharsets.UTF_8));
    }

    boolean has(String name) {
        return name.equals(key)
            || name.startsWith(key + "\0") && CHUNK.matcher(name.substring(key.length() + 1)).matches();
    }

    /** Takes in a record; returns the value if this is the one under its key, and null while it is not complete. */
    byte[] taken(String name, byte[] value) throws PolicyException {
        records.put(name, value);
        return name.equals(key) ? whole(value) : null;
    }

    private byte[] whole(byte[] head) throws PolicyException {
        if (head == null || !bytewise(head).startsWith(MANIFEST)) {
            return head;
        }
        JsonNode manifest = Document.parsed(head);
        long slot = Document.integer(manifest.get("slot"), 0, 1);
        long chunks = Document.integer(manifest.get("chunks"), 1, MOST_CHUNKS);
        String digest = manifest.path("sha256").asText();
        Document.demand(DIGITS.matcher(digest).matches(), "not a manifest of chunks");
        var value = new ByteArrayOutputStream();
        for (long number = 0; number < chunks; number++) {
            byte[] piece = records.get(key + "\0" + slot + "\0" + number);
            if (piece == null) {
                return null;
            }
            value.writeBytes(piece);
        }
        byte[] content = value.toByteArray();
        return Document.digest(content).equals(digest) ? content : null;
    }
}
