package groundswell;

import java.util.List;

/**
 * The control of one model among the records of the topic {@code controls}, and the policy beside it.
 *
 * <p>What is none is passed over and counted, and so is what is older; so is, where public keys are given, what none of them
 * has signed. One thread offers and says when the topic is read to its end, any may ask what to act by.
 */
public final class NewestControl {
    private static final System.Logger LOG = System.getLogger(NewestControl.class.getName());

    private final String model;
    private final String key;
    private final Chunked records; // of the policy beside the control
    private final Signatures signed;
    private Policy beside = Policy.UNIFORM;
    private volatile Acting acting = Acting.BY_NOTHING;
    private volatile long refused;

    public NewestControl(String model) {
        this(model, List.of());
    }

    /**
     * Believes only what one of these public keys (PEM) has signed.
     *
     * @throws IllegalArgumentException one is no key of Ed25519
     */
    public NewestControl(String model, List<String> trusted) {
        this.model = model;
        key = Chunked.bytewise(model);
        records = new Chunked(key + "\0pinned");
        signed = new Signatures("controls", trusted);
    }

    /** Returns what to act by at this moment: by no policy, until {@link #readToItsEnd} was called. */
    public Acting acting() {
        return acting;
    }

    /** Returns how many records were passed over that are no controls, or older ones. */
    public long refused() {
        return refused;
    }

    /** Says that the topic has been read to its end, or that there is none: from now on policies decide. */
    public void readToItsEnd() {
        acting = acting.atTheEnd();
    }

    /**
     * Takes in one record.
     *
     * @param signatures the values of its headers {@code signature}
     */
    public void offer(byte[] recordKey, byte[] value, List<byte[]> signatures) {
        String name = recordKey == null ? null : Chunked.bytewise(recordKey);
        if (name == null || value == null || !name.equals(key) && !records.has(name)) {
            return;
        }
        try {
            signed.demand(recordKey, value, signatures);
            if (name.equals(key)) {
                acting = acting.by(newer(Control.read(model, value)), beside);
            } else if (name.equals(key + "\0pinned")) {
                byte[] content = records.taken(name, value);
                Document.demand(content != null, "the policy beside the control is not complete");
                beside = new Policy(Document.read(model, content));
                acting = acting.by(acting.control(), beside);
            } else {
                records.taken(name, value);
            }
        } catch (PolicyException why) {
            refused++;
            LOG.log(System.Logger.Level.WARNING, "passed over a control of {0}: {1}", model, why.getMessage());
        }
    }

    private Control newer(Control control) throws PolicyException {
        long inForce = acting.control() == null ? 0 : acting.control().version();
        Document.demand(control.version() >= inForce, "version " + control.version() + " is older than that in force");
        return control;
    }
}
