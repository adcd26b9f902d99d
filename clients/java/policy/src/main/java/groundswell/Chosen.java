package groundswell;

/**
 * What decides in a context, and what its impression says of it.
 *
 * @param policy {@link Policy#UNIFORM} where none decides: then the app's own rule does, and chance without one
 * @param mode null while it is not known whether there is a control
 * @param side "canary" or "rest" in the mode "canary", otherwise null
 */
public record Chosen(Policy policy, String mode, String side) {}
