//! Which actions does the contract know, and which are served?

/// The one action that is served.
pub(super) const ACCESS: &str = "ACCESS";

/// Every action of the contract (`sombra.md` §3.2).
pub(super) const ACTIONS: [&str; 19] = [
    ACCESS,
    "ERASURE",
    "RECTIFICATION",
    "RESTRICTION",
    "BUSINESS_PURPOSE",
    "PLACE_ON_LEGAL_HOLD",
    "REMOVE_FROM_LEGAL_HOLD",
    "AUTOMATED_DECISION_MAKING_OPT_OUT",
    "AUTOMATED_DECISION_MAKING_OPT_IN",
    "USE_OF_SENSITIVE_INFORMATION_OPT_OUT",
    "USE_OF_SENSITIVE_INFORMATION_OPT_IN",
    "CONTACT_OPT_OUT",
    "CONTACT_OPT_IN",
    "SALE_OPT_OUT",
    "SALE_OPT_IN",
    "TRACKING_OPT_OUT",
    "TRACKING_OPT_IN",
    "CUSTOM_OPT_OUT",
    "CUSTOM_OPT_IN",
];

/// The type of extra identifiers that carry their own name.
pub(super) const CUSTOM: &str = "custom";

/// The fields that ask for something this gateway does not do: refused, never ignored.
pub(super) const NOT_SERVED: [&str; 6] = [
    "completedRequestStatus",
    "requestId",
    "restartIdentifierStrategy",
    "createdAt",
    "dataSiloIds",
    "ignoreDataSiloIds",
];

/// What binds requests to plans in the compliance API, in any case: whoever sends it must not get something that they did not approve.
pub(super) const OF_PLANS: [&str; 3] = ["dryRun", "planHash", "planParts"];

/// Switches that are checked and satisfied as they are: no receipt is sent, nothing is waited for.
pub(super) const SATISFIED_SWITCHES: [&str; 2] = ["skipSendingReceipt", "skipWaitingPeriod"];

/// Lists of words about mails and checks that this gateway does not make: checked, without effect.
pub(super) const WITHOUT_EFFECT: [&str; 2] = ["replyToEmailAddresses", "skipEnrichmentChecks"];
