package groundswell;

import java.util.List;

/**
 * The newest policy of one model among the records of the topic {@code policies}, whatever client reads them.
 *
 * <p>What no worker publishes is passed over and counted; so is, where public keys are given, what none of them has signed.
 * One thread offers, any may ask for the policy.
 */
public final class NewestPolicy {
    private static final System.Logger LOG = System.getLogger(NewestPolicy.class.getName());

    private final String model;
    private final Chunked records;
    private final Signatures signed;
    private volatile Policy policy = Policy.UNIFORM;
    private volatile long refused;

    public NewestPolicy(String model) {
        this(model, List.of());
    }

    /**
     * Believes only what one of these public keys (PEM) has signed.
     *
     * @throws IllegalArgumentException one is no key of Ed25519
     */
    public NewestPolicy(String model, List<String> trusted) {
        this.model = model;
        records = new Chunked(Chunked.bytewise(model));
        signed = new Signatures("policies", trusted);
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
    public boolean offer(byte[] key, byte[] value, List<byte[]> signatures) {
        String name = key == null ? null : Chunked.bytewise(key);
        if (name == null || !records.has(name)) {
            return false;
        }
        try {
            if (value != null) {
                signed.demand(key, value, signatures);
            }
            byte[] content = records.taken(name, value);
            if (content == null) {
                return false;
            }
            Document document = Document.read(model, content);
            if (policy.version() != null && document.version() <= policy.version()) {
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
}
