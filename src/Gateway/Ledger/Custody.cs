using PmrGateway.LedgerAdapter;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Ledger;

/// <summary>
/// The keys that sign for hospitals: one custody key each, derived from the keyring, with which a hospital speaks for the patients who
/// have not claimed their record yet. Also the account that sends the gateway's transactions.
/// </summary>
public sealed class Custody(Keyring keyring)
{
    /// <summary>The account that pays for and sends every transaction.</summary>
    public EthereumAccount Sender { get; } = new(keyring.Derive("ledger sender"));

    /// <summary>The custody account of a hospital.</summary>
    /// <param name="hospital">Its reference, <c>Organization/id</c>.</param>
    public EthereumAccount AccountOf(string hospital) => new(keyring.Derive("custody|" + hospital));
}
