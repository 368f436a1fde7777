using Nethereum.Contracts;
using Nethereum.RPC.Eth.DTOs;
using PmrGateway.Mapping;

namespace PmrGateway.LedgerAdapter;

/// <summary>
/// Logs of our contracts as events. By Nethereum's DTOs, at some 30 us each: a block has hundreds at most, and a whole chain is read
/// once.
/// </summary>
internal static class EventDecoder
{
    private static readonly Dictionary<string, Func<FilterLog, ChainEvent>> Decoders = new(StringComparer.OrdinalIgnoreCase)
    {
        [Topic<HospitalRegisteredEventDTO>()] = log => On<HospitalRegisteredEventDTO>(log, (e, b, t) =>
            new ActorRegisteredEvent(b, t, Hex(e.Id), ActorKind.Hospital, null)),
        [Topic<PractitionerRegisteredEventDTO>()] = log => On<PractitionerRegisteredEventDTO>(log, (e, b, t) =>
            new ActorRegisteredEvent(b, t, Hex(e.Id), ActorKind.Practitioner, Hex(e.Hospital))),
        [Topic<InsurerRegisteredEventDTO>()] = log => On<InsurerRegisteredEventDTO>(log, (e, b, t) =>
            new ActorRegisteredEvent(b, t, Hex(e.Id), ActorKind.Insurer, null)),
        [Topic<ActorStatusChangedEventDTO>()] = log =>
            On<ActorStatusChangedEventDTO>(log, (e, b, t) => new ActorStatusEvent(b, t, Hex(e.Id), e.Status == 1)),
        [Topic<ClientBoundEventDTO>()] = log =>
            On<ClientBoundEventDTO>(log, (e, b, t) => new ClientBindingEvent(b, t, Hex(e.Client), Hex(e.Id))),
        [Topic<ClientUnboundEventDTO>()] = log =>
            On<ClientUnboundEventDTO>(log, (e, b, t) => new ClientBindingEvent(b, t, Hex(e.Client), null)),
        [Topic<PatientRegisteredEventDTO>()] = log => On<PatientRegisteredEventDTO>(log, (e, b, t) =>
            new PatientRegisteredEvent(b, t, Hex(e.Patient), Address(e.Controller), Hex(e.Custodian))),
        [Topic<ControllerChangedEventDTO>()] = log => On<ControllerChangedEventDTO>(log, (e, b, t) =>
            new ControllerChangedEvent(b, t, Hex(e.Patient), Address(e.To))),
        [Topic<ConsentGrantedEventDTO>()] = log => On<ConsentGrantedEventDTO>(log, (e, b, t) =>
            new ConsentGrantedEvent(b, t, Hex(e.Patient), Hex(e.Commitment), e.NotBefore, e.NotAfter, e.Epoch)),
        [Topic<ConsentRevokedEventDTO>()] = log =>
            On<ConsentRevokedEventDTO>(log, (e, b, t) => new ConsentRevokedEvent(b, t, Hex(e.Patient), Hex(e.Commitment))),
        [Topic<AllConsentsRevokedEventDTO>()] = log =>
            On<AllConsentsRevokedEventDTO>(log, (e, b, t) => new AllConsentsRevokedEvent(b, t, Hex(e.Patient), e.Epoch)),
        [Topic<BatchAnchoredEventDTO>()] = log => On<BatchAnchoredEventDTO>(log, (e, b, t) =>
            new BatchAnchoredEvent(b, t, Hex(e.Custodian), (long)e.Sequence, Hex(e.Root))),
    };

    /// <summary>The event; null for what the view does not follow: the role changes of AccessControl.</summary>
    public static ChainEvent? Decode(FilterLog log) =>
        log.Topics is [string topic, ..] && Decoders.TryGetValue(topic, out var decode) ? decode(log) : null;

    private static string Topic<T>() => "0x" + Nethereum.Contracts.ABITypedRegistry.GetEvent<T>().Sha3Signature;

    private static ChainEvent On<T>(FilterLog log, Func<T, long, string, ChainEvent> make)
        where T : Nethereum.ABI.FunctionEncoding.Attributes.IEventDTO, new() =>
        make(log.DecodeEvent<T>().Event, (long)log.BlockNumber.Value, log.TransactionHash[2..]);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    private static string Address(string address) => address[2..].ToLowerInvariant();
}
