package groundswell;

/** A record by which nothing may be decided; the message says why. */
public final class PolicyException extends Exception {
    private static final long serialVersionUID = 1;

    PolicyException(String why) {
        super(why);
    }
}
