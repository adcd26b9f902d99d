package groundswell;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The newest policy of one model among the records of the topic {@code policies}, whatever client reads them.
 *
 * <p>What no worker publishes is passed over and counted; so is, where public keys are given, what none of them has signed.
 * One thread offers, any may ask for the policy.
 */
public final class NewestPolicy {
    private static final System.Logger LOG = System.getLogger(NewestPolicy.class.getName());
    private static final String MANIFEST = "{\"kind\":\"chunked\"";
    private static final Pattern CHUNK = Pattern.compile("[01]\0(0|[1-9][0-9]{0,2})");
    private static final Pattern DIGITS = Pattern.compile("[0-9a-f]{64}");
    private static final int MOST_CHUNKS = 1_000;

    private final String model;
    private final String key; // each byte a character, as are the keys of the records
    private final List<PublicKey> trusted = new ArrayList<>();
    private final Map<String, byte[]> records = new HashMap<>();
    private volatile Policy policy = Policy.UNIFORM;
    private volatile long refused;

    public NewestPolicy(String model) {
        this.model = model;
        key = bytewise(model.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Believes only what one of these public keys (PEM) has signed.
     *
     * @throws IllegalArgumentException one is no key of Ed25519
     */
    public NewestPolicy(String model, List<String> trusted) {
        this(model);
        for (String pem : trusted) {
            String base64 = pem.replaceAll("-----(BEGIN|END) PUBLIC KEY-----|\\s", "");
            try {
                var read = new X509EncodedKeySpec(Base64.getDecoder().decode(base64));
                this.trusted.add(KeyFactory.getInstance("Ed25519").generatePublic(read));
            } catch (GeneralSecurityException error) {
                throw new IllegalArgumentException("a public key that is none of Ed25519", error);
            }
        }
    }

    /** Returns the policy to decide by: chance, until there is one. */
    public Policy policy() {
        return policy;
    }

    /** Returns how many records were passed over that no worker publishes. */
    public long refused() {
        return refused;
    }

    /**
     * Takes in one record; returns whether it completes a newer policy.
     *
     * @param signatures the values of its headers {@code signature}
     */
    public boolean offer(byte[] recordKey, byte[] value, List<byte[]> signatures) {
        if (recordKey == null) {
            return false;
        }
        String name = bytewise(recordKey);
        if (!name.equals(key) && !isChunk(name)) {
            return false;
        }
        try {
            if (value != null && !trusted.isEmpty()) {
                trust(recordKey, value, signatures);
            }
            records.put(name, value);
            Document document = name.equals(key) ? whole(value) : null;
            if (document == null || (policy.version() != null && document.version() <= policy.version())) {
                return false;
            }
            policy = new Policy(document);
            return true;
        } catch (PolicyException why) {
            refused++;
            LOG.log(System.Logger.Level.WARNING, "passed over a policy of {0}: {1}", model, why.getMessage());
            return false;
        }
    }

    private boolean isChunk(String name) {
        return name.startsWith(key + "\0") && CHUNK.matcher(name.substring(key.length() + 1)).matches();
    }

    /** Returns the document under the model's key, null while it is not complete. */
    private Document whole(byte[] head) throws PolicyException {
        if (head == null || !bytewise(head).startsWith(MANIFEST)) {
            return head == null ? null : Document.read(model, head);
        }
        JsonNode manifest = Document.parsed(head);
        long slot = Document.integer(manifest.get("slot"), 0, 1);
        long chunks = Document.integer(manifest.get("chunks"), 1, MOST_CHUNKS);
        String digest = manifest.path("sha256").asText();
        Document.demand(DIGITS.matcher(digest).matches(), "not a manifest of chunks");
        var document = new ByteArrayOutputStream();
        for (long number = 0; number < chunks; number++) {
            byte[] piece = records.get(key + "\0" + slot + "\0" + number);
            if (piece == null) {
                return null;
            }
            document.writeBytes(piece);
        }
        byte[] content = document.toByteArray();
        return Document.digest(content).equals(digest) ? Document.read(model, content) : null;
    }

    private void trust(byte[] recordKey, byte[] value, List<byte[]> signatures) throws PolicyException {
        String said = "groundswell-record-1\npolicies\n0\n" + recordKey.length + "\n";
        for (PublicKey one : trusted) {
            for (byte[] signature : signatures) {
                try {
                    var verifier = Signature.getInstance("Ed25519");
                    verifier.initVerify(one);
                    verifier.update(said.getBytes(StandardCharsets.UTF_8));
                    verifier.update(recordKey);
                    verifier.update(value);
                    if (verifier.verify(signature)) {
                        return;
                    }
                } catch (GeneralSecurityException wrong) {
                    continue; // of another length, for one
                }
            }
        }
        throw new PolicyException("it is signed by none of the keys that are trusted");
    }

    private static String bytewise(byte[] content) {
        return new String(content, StandardCharsets.ISO_8859_1);
    }
}
